//! The text form of a simulation: a tree for people.

use std::io;
use std::io::Write;

use clap::builder::styling::Style;
use serde_json::Value;

use crate::cli::output::Output;
use crate::cli::output::visible;
use crate::cli::palette::Palette;
use crate::model::delivery::Action;
use crate::model::delivery::DeliveryError;
use crate::model::delivery::Location;
use crate::model::delivery::Outcome;
use crate::model::delivery::Step;
use crate::model::delivery::StepKind;
use crate::model::event::EventHash;
use crate::switchboard::simulation::Simulation;

/// Longer values are cut here; the JSON form has them whole.
const LONGEST_VALUE: usize = 160;

/// Prints what would happen, every run of it.
pub(crate) fn print(simulation: &Simulation, out: &mut Output) -> io::Result<()> {
    if simulation.deliveries.is_empty() {
        return run(simulation, out);
    }
    for (index, delivery) in simulation.deliveries.iter().enumerate() {
        let strong = out.palette.strong;
        writeln!(out, "{strong}delivery {}{strong:#}", index + 1)?;
        run(delivery, out)?;
    }
    Ok(())
}

fn run(simulation: &Simulation, out: &mut Output) -> io::Result<()> {
    let trace = &simulation.trace;
    match &simulation.ems_event {
        Some(event) => print_event(event, out)?,
        None if trace.uri.is_empty() && simulation.errors.is_empty() => {
            heading("event", "none: the provider ignores this message", out)?;
        }
        None => (),
    }
    if !trace.uri.is_empty() {
        heading("uri", &trace.uri, out)?;
    }
    for step in &trace.steps {
        print_step(step, out)?;
    }
    if !trace.actions.is_empty() {
        heading("actions", "", out)?;
    }
    for action in &trace.actions {
        print_action(action, out)?;
    }
    if !simulation.targets.is_empty() {
        heading("targets", "", out)?;
    }
    for target in simulation.targets.sorted() {
        let keys: Vec<String> = target
            .manager_ref
            .0
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        writeln!(
            out,
            "  {}  {}",
            visible(&target.association),
            visible(&keys.join(" "))
        )?;
    }
    print_ending(simulation, out)?;
    writeln!(out)
}

fn print_ending(simulation: &Simulation, out: &mut Output) -> io::Result<()> {
    if let Some(root) = &simulation.root {
        heading(
            "root",
            root.get("object").and_then(Value::as_str).unwrap_or_default(),
            out,
        )?;
        print_attributes(root, 1, out)?;
    }
    if let Some(objects) = simulation.workspace.as_ref().and_then(Value::as_array) {
        heading("workspace", "", out)?;
        for object in objects {
            print_object(object, 1, out)?;
        }
    }
    if let Some(retry) = &simulation.retry {
        let warning = out.palette.warning;
        writeln!(out, "{warning}retry{warning:#}   in {} seconds", retry.after)?;
    }
    for error in &simulation.errors {
        print_error(error, out)?;
    }
    Ok(())
}

fn heading(name: &str, text: &str, out: &mut Output) -> io::Result<()> {
    let strong = out.palette.strong;
    let line = format!("{strong}{name:<7}{strong:#} {}", visible(text));
    writeln!(out, "{}", line.trim_end())
}

fn print_event(event: &EventHash, out: &mut Output) -> io::Result<()> {
    let when = event
        .timestamp
        .map(|time| format!(" at {time}"))
        .unwrap_or_default();
    heading(
        "event",
        &format!("{} from {}{when}", event.event_type, event.source),
        out,
    )?;
    let ems_ref = event.ems_ref.iter().map(|text| ("ems_ref", text.to_string()));
    let others = event
        .attributes
        .iter()
        .map(|(key, value)| (key.as_ref(), value.to_string()));
    for (key, value) in ems_ref.chain(others).filter(|(_, value)| !value.is_empty()) {
        let dim = out.palette.dim;
        writeln!(
            out,
            "        {dim}{}{dim:#} {}",
            visible(key),
            visible(&shortened(&value))
        )?;
    }
    Ok(())
}

fn print_step(step: &Step, out: &mut Output) -> io::Result<()> {
    let Palette { strong, dim, .. } = out.palette;
    let (style, mark) = mark(step.outcome, &out.palette);
    // A field stands one step to the right of the object that it belongs to.
    let field_indent = usize::from(step.kind != StepKind::Instance);
    let indent = "  ".repeat(usize::try_from(step.depth).unwrap_or(0) + field_indent + 1);
    let name = step.field.as_deref().unwrap_or(&step.path);
    let mut line = format!(
        "{indent}{style}{mark}{style:#} {strong}{}{strong:#}",
        visible(name)
    );
    if let Some(text) = &step.written {
        line.push_str(&format!("  {}", visible(&shortened(text))));
    }
    if let Some(value) = step.value.as_ref().map(ToString::to_string)
        && step.written.as_deref() != Some(value.as_str())
    {
        let arrow = if step.written.is_some() { " ->" } else { "  =" };
        line.push_str(&format!("{arrow} {}", visible(&shortened(&value))));
    }
    if let Some(why) = &step.why {
        line.push_str(&format!("  {style}{}{style:#}", visible(why)));
    }
    if let Some(file) = &step.file {
        let at = step.line.map(|line| format!(":{line}")).unwrap_or_default();
        line.push_str(&format!("  {dim}{}{at}{dim:#}", visible(file)));
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
    let location = match action.location {
        Location::Inline => "inline",
        Location::Builtin => "builtin",
        Location::Expression => "expression",
    };
    let inputs: Vec<String> = action
        .inputs
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let inputs = shortened(&inputs.join(" "));
    let line = format!(
        "  {}  {style}{}{style:#}  {location}, called by {}  {}",
        visible(&action.method),
        visible(action.result),
        visible(&action.object),
        visible(&inputs)
    );
    writeln!(out, "{}", line.trim_end())
}

fn print_object(object: &Value, depth: usize, out: &mut Output) -> io::Result<()> {
    let dim = out.palette.dim;
    let name = object.get("object").and_then(Value::as_str).unwrap_or_default();
    let is_deleted = object.get("deleted").and_then(Value::as_bool).unwrap_or(false);
    let deleted = if is_deleted {
        format!("  {dim}deleted{dim:#}")
    } else {
        String::new()
    };
    writeln!(out, "{}{}{deleted}", "  ".repeat(depth), visible(name))?;
    print_attributes(object, depth + 1, out)?;
    for child in object
        .get("children")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        print_object(child, depth + 1, out)?;
    }
    Ok(())
}

fn print_attributes(object: &Value, depth: usize, out: &mut Output) -> io::Result<()> {
    let dim = out.palette.dim;
    for (key, value) in object
        .get("attributes")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned);
        writeln!(
            out,
            "{}{dim}{}{dim:#} {}",
            "  ".repeat(depth),
            visible(key),
            visible(&shortened(&text))
        )?;
    }
    Ok(())
}

fn print_error(error: &DeliveryError, out: &mut Output) -> io::Result<()> {
    let (style, severity) = if error.fatal {
        (out.palette.bad, "fatal")
    } else {
        (out.palette.warning, "error")
    };
    let path = if error.path.is_empty() {
        String::new()
    } else {
        format!("{}: ", visible(&error.path))
    };
    writeln!(
        out,
        "{style}{severity}[{}]{style:#} {path}{}",
        visible(&error.kind),
        visible(&error.message)
    )
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST_VALUE).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
