//! `switchboard new action`: something that rules can do about an event.

use crate::cli::error::CliError;
use crate::cli::new::filled;
use crate::cli::new::make;
use crate::cli::new::names::plain;
use crate::cli::new::plan::Plan;
use crate::cli::new::plan::Rules;
use crate::cli::new::try_it;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::model::clock::Clock;
use crate::model::delivery::Location;
use crate::switchboard::SimulatedEvent;
use crate::switchboard::SimulationRequest;

/// A script that rules reach as /System/event_handlers/NAME
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  switchboard new action tell_operators")]
pub(crate) struct Action {
    /// Its name
    name: String,
}

impl Action {
    pub(crate) fn run(
        &self,
        rules: &Rules,
        options: &GlobalOptions,
        out: &mut Output,
    ) -> Result<(), CliError> {
        let name = plain("an action", &self.name)?;
        let mut plan = Plan::default();
        let path = rules.scripts().join("actions").join(format!("{name}.rhai"));
        plan.add(
            path,
            filled(include_str!("templates/action.rhai"), &[("name", name)]),
        );
        let uri = format!("/System/event_handlers/{name}?note=seen");
        let after = rules.with(&plan);
        let request = SimulationRequest {
            event: SimulatedEvent::Uri(uri.clone()),
            workspace: false,
            deliveries: 1,
            records: None,
        };
        let simulation = after.switchboard.simulate(&request, Clock::System.now());
        let mut actions = simulation.trace.actions.iter();
        if !actions
            .any(|action| action.method.eq_ignore_ascii_case(name) && action.location == Location::Inline)
        {
            return Err(CliError::usage(
                format!(
                    "the action would never run: rules find something else at /System/event_handlers/{name}"
                ),
                "choose another name",
            ));
        }
        if let Some(finding) = after.new_findings(rules).first() {
            return Err(CliError::usage(
                format!("the action would not be sound: {}", finding.message),
                finding.help.clone(),
            ));
        }
        make(&plan, out)?;
        Ok(try_it(&["simulate", "--uri", &uri], options, out)?)
    }
}
