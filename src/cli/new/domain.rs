//! `switchboard new domain`, and the domain that another start is written to.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::error::CliError;
use crate::cli::new::filled;
use crate::cli::new::make;
use crate::cli::new::names::plain;
use crate::cli::new::names::yaml_text;
use crate::cli::new::plan::Plan;
use crate::cli::new::plan::Rules;
use crate::cli::output::Output;
use crate::model::rule_tree::RuleDomain;

/// The domain that is shipped; an update replaces it.
const SHIPPED: &str = "ManageIQ";
/// How far a new domain stands above those that are there, so that one fits between.
const STEP: i64 = 10;

/// A domain above all that are there: its instances are used in place of theirs
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  switchboard new domain Local")]
pub(crate) struct Domain {
    /// Its name
    name: String,
}

impl Domain {
    pub(crate) fn run(&self, rules: &Rules, out: &mut Output) -> Result<(), CliError> {
        if let Some(known) = find(rules, &self.name) {
            return Err(CliError::usage(
                format!("there is a domain `{}` already, in {}", known.name, known.file),
                "choose another name",
            ));
        }
        let mut plan = Plan::default();
        add(&self.name, rules, &mut plan)?;
        make(&plan, out)
    }
}

/// A domain that is written to.
pub(crate) struct Target {
    /// Its name, spelled as in its file.
    pub(crate) name: Arc<str>,
    pub(crate) folder: PathBuf,
}

/// The domain of this name; one that is not there is planned.
///
/// # Errors
/// When rules of one's own have no place there.
pub(crate) fn target(name: &str, rules: &Rules, plan: &mut Plan) -> Result<Target, CliError> {
    if name.eq_ignore_ascii_case(SHIPPED) {
        return Err(CliError::usage(
            format!("the domain `{SHIPPED}` is shipped with the program, which replaces it at an update"),
            "name one of your own, as in --domain Local; its rules are used in place of those",
        ));
    }
    let Some(known) = find(rules, name) else {
        return add(name, rules, plan);
    };
    if !known.enabled {
        return Err(CliError::usage(
            format!(
                "the domain `{}` is not enabled, so nothing in it is used",
                known.name
            ),
            format!("write `enabled: true` in {}, or name another domain", known.file),
        ));
    }
    let folder = rules.tree.on_disk(&known.file);
    let folder = folder.and_then(|file| Some(file.parent()?.to_owned()));
    Ok(Target {
        name: known.name.clone(),
        folder: folder.unwrap_or_else(|| rules.automate().join(name)),
    })
}

fn find<'a>(rules: &'a Rules, name: &str) -> Option<&'a RuleDomain> {
    let mut domains = rules.listed.domains.iter();
    domains.find(|domain| domain.name.eq_ignore_ascii_case(name))
}

/// Plans a domain above all others.
fn add(name: &str, rules: &Rules, plan: &mut Plan) -> Result<Target, CliError> {
    let folder = rules.automate().join(plain("a domain", name)?);
    let highest = rules.listed.domains.iter().map(|domain| domain.priority).max();
    let priority = highest
        .unwrap_or(0)
        .div_euclid(STEP)
        .saturating_add(1)
        .saturating_mul(STEP);
    if highest.is_some_and(|highest| priority <= highest) {
        return Err(CliError::usage(
            format!(
                "no priority is left above that of the domain with {}",
                highest.unwrap_or_default()
            ),
            "give that domain a smaller one",
        ));
    }
    let text = filled(
        include_str!("templates/domain.yaml"),
        &[("name", &yaml_text(name)), ("priority", &priority.to_string())],
    );
    plan.add(folder.join("__domain__.yaml"), text);
    Ok(Target {
        name: Arc::from(name),
        folder,
    })
}
