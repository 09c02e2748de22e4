//! The text form of a decision, simulated or stored: a tree for people, from the contract's document.

use std::borrow::Cow;
use std::io;
use std::io::Write;

use clap::builder::styling::Style;
use serde::Deserialize;

use crate::cli::output::Output;
use crate::cli::palette::Palette;
use crate::cli::width;
use crate::cli::width::fitted;
use crate::model::delivery::DeliveryError;
use crate::model::delivery::Outcome;
use crate::model::delivery::StepKind;
use crate::model::json::Map;
use crate::model::json::Value;

/// The most columns of a value; the JSON form has it whole.
const LONGEST_VALUE: usize = 160;
/// The most columns of a name, and of a reason.
const LONGEST_NAME: usize = 240;
/// What is nested deeper stands no further to the right.
const DEEPEST: usize = 40;

/// What is shown of a document.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Document {
    ems_event: Option<Map<String, Value>>,
    uri: Option<String>,
    steps: Vec<Step>,
    actions: Vec<Action>,
    targets: Vec<Target>,
    root: Option<Object>,
    workspace: Option<Vec<Object>>,
    retry: Option<Retry>,
    deliveries: Option<Vec<Document>>,
    errors: Vec<DeliveryError>,
    ignored: Option<String>,
    filtered: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Step {
    kind: StepKind,
    path: String,
    depth: usize,
    file: Option<String>,
    line: Option<u32>,
    field: Option<String>,
    written: Option<String>,
    value: Option<Value>,
    outcome: Outcome,
    why: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Action {
    object: String,
    method: String,
    location: String,
    inputs: Map<String, Value>,
    result: String,
}

#[derive(Debug, Deserialize)]
struct Target {
    association: String,
    manager_ref: Map<String, Value>,
    ems: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Object {
    object: String,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default)]
    children: Vec<Object>,
    #[serde(default)]
    deleted: bool,
}

#[derive(Debug, Deserialize)]
struct Retry {
    after: f64,
}

impl Document {
    /// Prints it, every run of it.
    pub(crate) fn print(&self, out: &mut Output) -> io::Result<()> {
        let deliveries = self.deliveries.as_deref().unwrap_or_default();
        if deliveries.len() < 2 {
            return self.print_run(out);
        }
        for (index, delivery) in deliveries.iter().enumerate() {
            let strong = out.palette.strong;
            writeln!(out, "{strong}delivery {}{strong:#}", index + 1)?;
            delivery.print_run(out)?;
        }
        Ok(())
    }

    fn print_run(&self, out: &mut Output) -> io::Result<()> {
        let uri = self.uri.as_deref().unwrap_or_default();
        match &self.ems_event {
            Some(event) => print_event(event, out)?,
            None if uri.is_empty() && self.errors.is_empty() => {
                let why = self.ignored.as_deref().unwrap_or("no reason given");
                let told = match &self.filtered {
                    Some(filtered) => format!("none: the settings do not want it ({filtered})"),
                    None => format!("none: the provider ignores this message ({why})"),
                };
                heading("event", &told, out)?;
            }
            None => (),
        }
        self.print_decision(out)
    }

    /// Prints all but the event.
    pub(crate) fn print_decision(&self, out: &mut Output) -> io::Result<()> {
        if let Some(uri) = self.uri.as_deref().filter(|uri| !uri.is_empty()) {
            heading("uri", uri, out)?;
        }
        for step in &self.steps {
            print_step(step, out)?;
        }
        if !self.actions.is_empty() {
            heading("actions", "", out)?;
        }
        for action in &self.actions {
            print_action(action, out)?;
        }
        if !self.targets.is_empty() {
            heading("targets", "", out)?;
        }
        for target in &self.targets {
            let ems = target.ems.iter().map(|ems| format!("  of {ems}"));
            let line = format!(
                "{}  {}{}",
                target.association,
                pairs(&target.manager_ref),
                ems.collect::<String>()
            );
            writeln!(out, "  {}", width::line(&line))?;
        }
        if let Some(root) = &self.root {
            heading("root", &root.object, out)?;
            print_attributes(root, 1, out)?;
        }
        if let Some(objects) = &self.workspace {
            heading("workspace", "", out)?;
            for object in objects {
                print_object(object, 1, out)?;
            }
        }
        if let Some(retry) = &self.retry {
            heading("retry", &format!("in {} seconds", retry.after), out)?;
        }
        for error in &self.errors {
            print_error(error, out)?;
        }
        writeln!(out)
    }
}

/// A line that begins with a name for what follows.
pub(crate) fn heading(name: &str, text: &str, out: &mut Output) -> io::Result<()> {
    let strong = out.palette.strong;
    let line = format!("{strong}{name:<7}{strong:#} {}", width::line(text));
    writeln!(out, "{}", line.trim_end())
}

/// The event with its keys, `full_data` apart.
pub(crate) fn print_event(event: &Map<String, Value>, out: &mut Output) -> io::Result<()> {
    let told = |key: &str| event.get(key).map(text).unwrap_or_default();
    let when = told("timestamp");
    let when = if when.is_empty() {
        when
    } else {
        format!(" at {when}")
    };
    heading(
        "event",
        &format!("{} from {}{when}", told("event_type"), told("source")),
        out,
    )?;
    const TOLD: [&str; 4] = ["event_type", "source", "timestamp", "full_data"];
    for (key, value) in event.iter().filter(|(key, _)| !TOLD.contains(&key.as_str())) {
        let value = text(value);
        if !value.is_empty() {
            let dim = out.palette.dim;
            writeln!(
                out,
                "        {dim}{}{dim:#} {}",
                width::line(key),
                fitted(&value, LONGEST_VALUE)
            )?;
        }
    }
    Ok(())
}

fn print_step(step: &Step, out: &mut Output) -> io::Result<()> {
    let Palette { strong, dim, .. } = out.palette;
    let (style, mark) = mark(step.outcome, &out.palette);
    // A field stands one step to the right of the object that it belongs to.
    let indent = indent(step.depth + usize::from(step.kind != StepKind::Instance) + 1);
    let name = step.field.as_deref().unwrap_or(&step.path);
    let mut line = format!("{indent}{style}{mark}{style:#} {strong}{}{strong:#}", short(name));
    if let Some(written) = &step.written {
        line.push_str(&format!("  {}", fitted(written, LONGEST_VALUE)));
    }
    let value = step.value.as_ref().map(text);
    if let Some(value) = value.filter(|value| step.written.as_ref() != Some(value)) {
        let arrow = if step.written.is_some() { " ->" } else { "  =" };
        line.push_str(&format!("{arrow} {}", fitted(&value, LONGEST_VALUE)));
    }
    if let Some(why) = &step.why {
        line.push_str(&format!("  {style}({}){style:#}", short(why)));
    }
    if let Some(file) = &step.file {
        let at = step.line.map(|line| format!(":{line}")).unwrap_or_default();
        line.push_str(&format!("  {dim}{}{at}{dim:#}", short(file)));
    }
    writeln!(out, "{line}")
}

fn mark(outcome: Outcome, palette: &Palette) -> (Style, char) {
    match outcome {
        Outcome::Ok => (palette.good, '✓'),
        Outcome::Followed => (palette.link, '→'),
        Outcome::Skipped => (palette.dim, '·'),
        Outcome::Failed => (palette.bad, '✗'),
        Outcome::Missing => (palette.warning, '?'),
        Outcome::NotReached => (palette.dim, '…'),
    }
}

fn print_action(action: &Action, out: &mut Output) -> io::Result<()> {
    let style = if action.result == "ok" {
        out.palette.good
    } else {
        out.palette.bad
    };
    let line = format!(
        "  {}  {style}{}{style:#}  {}, called by {}  {}",
        short(&action.method),
        short(&action.result),
        short(&action.location),
        short(&action.object),
        fitted(&pairs(&action.inputs), LONGEST_VALUE)
    );
    writeln!(out, "{}", line.trim_end())
}

fn print_object(object: &Object, depth: usize, out: &mut Output) -> io::Result<()> {
    let dim = out.palette.dim;
    let deleted = if object.deleted {
        format!("  {dim}deleted{dim:#}")
    } else {
        String::new()
    };
    writeln!(out, "{}{}{deleted}", indent(depth), short(&object.object))?;
    print_attributes(object, depth + 1, out)?;
    for child in &object.children {
        print_object(child, depth + 1, out)?;
    }
    Ok(())
}

fn print_attributes(object: &Object, depth: usize, out: &mut Output) -> io::Result<()> {
    let dim = out.palette.dim;
    for (key, value) in &object.attributes {
        let value = text(value);
        writeln!(
            out,
            "{}{dim}{}{dim:#} {}",
            indent(depth),
            short(key),
            fitted(&value, LONGEST_VALUE)
        )?;
    }
    Ok(())
}

fn print_error(error: &DeliveryError, out: &mut Output) -> io::Result<()> {
    let Palette { bad, warning, .. } = out.palette;
    let (style, severity) = if error.fatal {
        (bad, "fatal")
    } else {
        (warning, "error")
    };
    let path = if error.path.is_empty() {
        String::new()
    } else {
        format!("{}: ", width::line(&error.path))
    };
    let (kind, message) = (width::line(&error.kind), width::line(&error.message));
    writeln!(out, "{style}{severity}[{kind}]{style:#} {path}{message}")
}

/// A name or a reason that shares its line with others.
fn short(text: &str) -> Cow<'_, str> {
    fitted(text, LONGEST_NAME)
}

/// The space before something that is nested so deep.
fn indent(depth: usize) -> String {
    "  ".repeat(depth.min(DEEPEST))
}

fn pairs(map: &Map<String, Value>) -> String {
    let pairs: Vec<String> = map
        .iter()
        .map(|(key, value)| format!("{key}={}", text(value)))
        .collect();
    pairs.join(" ")
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
