//! `switchboard new handler`: a rule for one type of event, with the domain, namespaces and class that it needs.

use std::io::Write;
use std::sync::Arc;

use crate::cli::error::CliError;
use crate::cli::new::domain;
use crate::cli::new::domain::Target;
use crate::cli::new::fields;
use crate::cli::new::make;
use crate::cli::new::names::file_stem;
use crate::cli::new::names::yaml_text;
use crate::cli::new::plan::Plan;
use crate::cli::new::plan::Rules;
use crate::cli::new::source_class;
use crate::cli::new::source_class::Place;
use crate::cli::new::try_it;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::width::line;
use crate::model::clock::Clock;
use crate::model::event::EventClass;
use crate::model::json;
use crate::model::rule_tree::RuleInstance;
use crate::model::unseen::is_unseen;
use crate::model::unseen::visible;
use crate::switchboard::EVENT_SOURCES;
use crate::switchboard::SimulatedEvent;
use crate::switchboard::SimulationRequest;

/// Where a rule leads unless it begins as a copy.
const REFRESH: &str = "/System/event_handlers/refresh";
/// A condition to begin with.
const EXAMPLE: &str = r#"event.vm_name == "production""#;

/// A rule for one type of event, with the domain, namespaces and class that it needs
///
/// It begins as a copy of the rule whose place it takes, or else with a refresh of what the event is about.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  switchboard new handler com.awesomecloud.vm.suspend --source AWESOME_CLOUD --domain Local
  switchboard new handler com.awesomecloud.vm.create --source AWESOME_CLOUD --guard 'event.vm_name == \"production\"'")]
pub(crate) struct Handler {
    /// The type of the event, as the parser gives it
    event_type: String,
    /// Whose events, as the parser says it: AWESOME_CLOUD for example
    #[arg(long)]
    source: String,
    /// The domain that it is written to; made where there is none
    #[arg(long, value_name = "NAME", default_value = "Local")]
    domain: String,
    /// A condition in Rhai: nothing else of the rule runs where it is not true
    #[arg(long, value_name = "CONDITION")]
    guard: Option<String>,
}

/// What a rule begins as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// The fields of the rule whose place it takes.
    Copy,
    Refresh,
    /// No field.
    Blank,
}

/// What a rule could begin as, the best first, and whether its class may be a copy.
const STARTS: [(Start, bool); 6] = [
    (Start::Copy, true),
    (Start::Refresh, true),
    (Start::Copy, false),
    (Start::Refresh, false),
    (Start::Blank, true),
    (Start::Blank, false),
];

impl Handler {
    pub(crate) fn run(
        &self,
        rules: &Rules,
        options: &GlobalOptions,
        out: &mut Output,
    ) -> Result<(), CliError> {
        if self.event_type.trim().is_empty() {
            return Err(CliError::usage(
                "an event type is needed",
                "as in com.awesomecloud.vm.suspend",
            ));
        }
        let source = source_class::known(&self.source, rules)?;
        let domain = domain::target(&self.domain, rules, &mut Plan::default())?;
        let known: Vec<_> = self.known(&source, rules).collect();
        if let Some(own) = known.iter().find(|instance| instance.domain == domain.name) {
            return Err(CliError::usage(
                format!(
                    "the domain `{}` has a rule for this type already: {}:{}",
                    own.domain, own.file, own.line
                ),
                "edit that file",
            ));
        }
        let in_use = known.into_iter().find(|instance| is_in_use(instance, rules));
        let (start, plan) = self.plan(&source, in_use, rules)?;
        make(&plan, out)?;
        if let Some(covered) = in_use {
            let begins = if start == Start::Copy {
                "begins as a copy of"
            } else {
                "is used in place of"
            };
            writeln!(out, "the rule {begins} {}", line(&covered.file))?;
        }
        if self.event_type.contains(is_unseen) {
            return Ok(());
        }
        let words = ["simulate", "--source", &source, "--event-type", &self.event_type];
        Ok(try_it(&words, options, out)?)
    }

    /// The rules of this type, highest priority first.
    fn known<'a>(&'a self, source: &'a str, rules: &'a Rules) -> impl Iterator<Item = &'a RuleInstance> {
        let key = self.event_type.to_lowercase();
        rules.listed.instances.iter().filter(move |instance| {
            instance.class.eq_ignore_ascii_case(source)
                && instance.namespace.eq_ignore_ascii_case(EVENT_SOURCES)
                && instance.name.to_lowercase() == key
        })
    }

    /// The best start that `check` finds no fault with and that an event of this type comes to.
    fn plan(
        &self,
        source: &Arc<str>,
        in_use: Option<&RuleInstance>,
        rules: &Rules,
    ) -> Result<(Start, Plan), CliError> {
        let mut refused = None;
        for (start, copies_class) in STARTS {
            let mut plan = Plan::default();
            let domain = domain::target(&self.domain, rules, &mut plan)?;
            let place = source_class::place(source, &domain, rules, &mut plan, copies_class);
            if !copies_class && !place.could_be_copy {
                continue;
            }
            let Some(text) = self.text(start, &place, in_use, rules)? else {
                continue;
            };
            let path = place.folder.join(format!("{}.yaml", file_stem(&self.event_type)));
            plan.add(path, text);
            plan.free()?;
            match self.fault(source, &domain, rules, &rules.with(&plan)) {
                None => return Ok((start, plan)),
                Some(fault) => refused = Some(fault),
            }
        }
        Err(refused.unwrap_or_else(|| CliError::usage("the class has no field that a rule could use", "")))
    }

    /// Why these rules do not do what a start has to.
    fn fault(&self, source: &str, domain: &Target, before: &Rules, after: &Rules) -> Option<CliError> {
        if let Some(finding) = after.new_findings(before).first() {
            return Some(CliError::usage(
                format!("the rule would not be sound: {}", finding.message),
                finding.help.clone(),
            ));
        }
        let own = self
            .known(source, after)
            .find(|instance| instance.domain == domain.name);
        if let Some(covering) = own.and_then(|own| own.covered_by.as_ref()) {
            return Some(CliError::usage(
                format!(
                    "the rule would never be used: {covering} is used, since its domain has a higher priority"
                ),
                "name that domain, or one above it",
            ));
        }
        let request = SimulationRequest {
            event: SimulatedEvent::Event {
                class: EventClass::EmsEvent,
                source: source.to_owned(),
                event_type: self.event_type.clone(),
                attributes: json::Map::new(),
            },
            workspace: false,
            deliveries: 1,
            records: None,
        };
        let simulation = after.switchboard.simulate(&request, Clock::System.now());
        let is_reached = own.is_some_and(|own| {
            let mut files = simulation
                .trace
                .steps
                .iter()
                .filter_map(|step| step.file.as_deref());
            *own.name == *self.event_type && files.any(|file| *file == *own.file)
        });
        if is_reached {
            return None;
        }
        let why = simulation
            .errors
            .first()
            .map(|error| format!(": {}", error.message));
        Some(CliError::usage(
            format!(
                "no event of this type would come to its rule{}",
                why.unwrap_or_default()
            ),
            "no instance can have this name in these rules; write a condition in the rule for all other types, .missing",
        ))
    }

    /// The rule's file; none where it cannot begin so.
    fn text(
        &self,
        start: Start,
        place: &Place,
        in_use: Option<&RuleInstance>,
        rules: &Rules,
    ) -> Result<Option<String>, CliError> {
        let fields = match start {
            Start::Copy => {
                let Some(found) = in_use
                    .and_then(|rule| rules.text(&rule.file))
                    .and_then(|text| fields::fields(&text))
                else {
                    return Ok(None);
                };
                if let (Some(rule), Some(_), Some(field)) = (in_use, &self.guard, &place.condition)
                    && fields::has(&found, field)
                {
                    return Err(CliError::usage(
                        format!(
                            "the rule that this one begins as has a condition already: {}",
                            rule.file
                        ),
                        "leave --guard out, and write both into the new file",
                    ));
                }
                found
            }
            Start::Refresh => {
                let Some(field) = &place.relationship else {
                    return Ok(None);
                };
                format!("  - {field}:\n      value: {REFRESH}\n")
            }
            Start::Blank => String::new(),
        };
        let event_type = visible(&self.event_type);
        let mut text = format!(
            "---\n# What is done when {} reports `{event_type}`.\n# Fields run in the order of __class__.yaml, whatever \
             their order here.\n",
            visible(&self.source)
        );
        if let (Start::Copy, Some(rule)) = (start, in_use) {
            text.push_str(&format!(
                "# They begin as those of {}, whose place they take.\n",
                rule.file
            ));
        }
        text.push_str(&format!(
            "object_type: instance\nversion: 1.0\nobject:\n  attributes:\n    name: {}\n",
            yaml_text(&self.event_type)
        ));
        let condition = match (&place.condition, &self.guard) {
            (Some(field), Some(guard)) => format!("  - {field}:\n      value: {}\n", yaml_text(guard)),
            (None, Some(_)) => {
                return Err(CliError::usage(
                    "the class has no field for a condition",
                    "leave --guard out",
                ));
            }
            (Some(field), None) if !fields::has(&fields, field) => format!(
                "  # A condition: where it is not true, nothing else here runs. Take the # away from both lines.\n  \
                 # - {field}:\n  #     value: {EXAMPLE}\n"
            ),
            (_, None) => String::new(),
        };
        let has_fields = !fields.is_empty() || self.guard.is_some();
        text.push_str(if has_fields {
            "  fields:\n"
        } else {
            "  fields: []\n"
        });
        text.push_str(&condition);
        text.push_str(&fields);
        Ok(Some(text))
    }
}

/// Whether this is the rule that events of its type come to.
fn is_in_use(instance: &RuleInstance, rules: &Rules) -> bool {
    let mut domains = rules.listed.domains.iter();
    instance.covered_by.is_none() && domains.any(|domain| domain.name == instance.domain && domain.enabled)
}
