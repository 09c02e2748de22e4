//! `switchboard new`: a commented, working start of a domain, a provider, a rule or an action. Overwrites nothing.

mod action;
mod domain;
mod fields;
mod handler;
mod names;
mod plan;
mod provider;
mod source_class;

use std::io;
use std::io::Write;
use std::path::Path;

use clap::Subcommand;

use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::new::plan::Plan;
use crate::cli::new::plan::Rules;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::shell;
use crate::cli::width::line;

/// A commented, working start of a domain, a provider, a rule or an action
///
/// Overwrites nothing, names each file that it made, and makes none that `check` would find fault with.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  switchboard new handler com.awesomecloud.vm.suspend --source AWESOME_CLOUD
  switchboard new provider my_cloud")]
pub(crate) enum NewCommand {
    Domain(domain::Domain),
    Provider(provider::Provider),
    Handler(handler::Handler),
    Action(action::Action),
}

impl NewCommand {
    pub(crate) fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        let rules = Rules::load(options)?;
        match self {
            Self::Domain(domain) => domain.run(&rules, out)?,
            Self::Provider(provider) => provider.run(&rules, out)?,
            Self::Handler(handler) => handler.run(&rules, options, out)?,
            Self::Action(action) => action.run(&rules, options, out)?,
        }
        Ok(ExitCode::Fine)
    }
}

/// A template with its places filled in: `@name@` by the value of `name`.
fn filled(template: &str, values: &[(&str, &str)]) -> String {
    let fill = |text: String, (name, value): &(&str, &str)| text.replace(&format!("@{name}@"), value);
    values.iter().fold(template.to_owned(), fill)
}

/// Writes what was planned, and names each file.
fn make(plan: &Plan, out: &mut Output) -> Result<(), CliError> {
    plan.write()?;
    for (path, _) in plan.files() {
        writeln!(out, "made {}", shown(path))?;
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    line(&path.display().to_string()).into_owned()
}

/// Shows a command of this program to try next, with the folders that were named.
fn try_it(words: &[&str], options: &GlobalOptions, out: &mut Output) -> io::Result<()> {
    let mut command = String::from("switchboard");
    for word in words {
        command.push(' ');
        command.push_str(&shell::quoted(word));
    }
    for folder in &options.automate {
        command.push_str(&format!(
            " --automate {}",
            shell::quoted(&folder.display().to_string())
        ));
    }
    if let Some(folder) = &options.scripts {
        command.push_str(&format!(
            " --scripts {}",
            shell::quoted(&folder.display().to_string())
        ));
    }
    writeln!(out, "try it: {}", line(&command))
}
