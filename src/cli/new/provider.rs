//! `switchboard new provider`: the scripts of a cloud of one's own, and the class of its events.

use std::io::Write;

use crate::cli::error::CliError;
use crate::cli::new::domain;
use crate::cli::new::filled;
use crate::cli::new::make;
use crate::cli::new::names::plain;
use crate::cli::new::plan::Plan;
use crate::cli::new::plan::Rules;
use crate::cli::new::source_class;
use crate::cli::output::Output;

/// Folders below the scripts that are no providers.
const TAKEN: [&str; 2] = ["actions", "lib"];

const FILES: [(&str, &str); 4] = [
    (
        "event_parser.rhai",
        include_str!("templates/provider/event_parser.rhai"),
    ),
    (
        "event_target_parser.rhai",
        include_str!("templates/provider/event_target_parser.rhai"),
    ),
    ("stream.rhai", include_str!("templates/provider/stream.rhai")),
    (
        "inventory_collector.rhai",
        include_str!("templates/provider/inventory_collector.rhai"),
    ),
];

/// The scripts of a cloud of your own, and the class of its events
///
/// They speak with a cloud such as the one beside `switchboard demo`; change them to what yours says.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  switchboard new provider my_cloud --source MY_CLOUD --domain Local")]
pub(crate) struct Provider {
    /// Its name: what `ems add --type` takes
    name: String,
    /// The source that its events have, which names the class of their rules [default: the name in upper case]
    #[arg(long)]
    source: Option<String>,
    /// The domain that the class is written to; made where there is none
    #[arg(long, value_name = "NAME", default_value = "Local")]
    domain: String,
}

impl Provider {
    pub(crate) fn run(&self, rules: &Rules, out: &mut Output) -> Result<(), CliError> {
        let name = plain("a provider", &self.name)?;
        if TAKEN.contains(&name.to_lowercase().as_str()) {
            return Err(CliError::usage(
                format!("`{name}` cannot be the name of a provider: the folder is for other scripts"),
                "choose another name",
            ));
        }
        let providers = rules.switchboard.providers();
        if let Some(known) = providers.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            return Err(CliError::usage(
                format!("there is a provider `{known}` already"),
                "choose another name",
            ));
        }
        let source = self.source.clone().unwrap_or_else(|| name.to_uppercase());
        plain("a source", &source)?;
        let mut plan = Plan::default();
        let folder = rules.scripts().join(name);
        for (file, template) in FILES {
            plan.add(
                folder.join(file),
                filled(template, &[("name", name), ("source", &source)]),
            );
        }
        let classes = rules.switchboard.source_classes();
        if !classes
            .iter()
            .any(|class| class.source.eq_ignore_ascii_case(&source))
        {
            let domain = domain::target(&self.domain, rules, &mut plan)?;
            source_class::place(&source, &domain, rules, &mut plan, true);
        }
        if let Some(finding) = rules.with(&plan).new_findings(rules).first() {
            return Err(CliError::usage(
                format!("the provider would not be sound: {}", finding.message),
                finding.help.clone(),
            ));
        }
        make(&plan, out)?;
        writeln!(out, "next: switchboard ems add NAME --type {name} --url URL")?;
        Ok(())
    }
}
