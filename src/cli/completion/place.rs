//! What is wanted at the cursor: walks along the words by the definition of the command line.

use clap::Arg;
use clap::ArgAction;
use clap::Command;

use crate::cli::completion::line::Line;

/// Where the cursor is.
pub(crate) struct Place<'a> {
    /// The subcommands so far: `event show`.
    pub(crate) path: String,
    /// The last of them.
    pub(crate) command: &'a Command,
    /// What is wanted there.
    pub(crate) wanted: Wanted<'a>,
    /// The values that were given: the argument's id, and the text.
    pub(crate) given: Vec<(&'a str, String)>,
}

/// What is wanted.
pub(crate) enum Wanted<'a> {
    /// A value of this argument, behind so much of the word: `--ems=`.
    Value(&'a Arg, usize),
    /// The name of an option.
    Option,
    /// A subcommand, or a value of this argument.
    Next(Option<&'a Arg>),
    /// Nothing: a word before it is wrong.
    Nothing,
}

/// Finds the place in a command whose options were built.
pub(crate) fn find<'a>(root: &'a Command, line: &Line) -> Place<'a> {
    let mut place = Place {
        path: String::new(),
        command: root,
        wanted: Wanted::Next(None),
        given: Vec::new(),
    };
    let mut positional = 0;
    let mut pending: Option<&Arg> = None;
    let (mut only_values, mut is_lost) = (false, false);
    for word in line.words.iter().skip(1) {
        if let Some(arg) = pending.take() {
            place.given.push((arg.get_id().as_str(), word.clone()));
            continue;
        }
        if word == "--" && !only_values {
            only_values = true;
            continue;
        }
        if let Some(option) = word.strip_prefix("--").filter(|_| !only_values) {
            let (name, value) = option
                .split_once('=')
                .map_or((option, None), |(name, value)| (name, Some(value)));
            match (named(place.command, name), value) {
                (Some(arg), Some(value)) => place.given.push((arg.get_id().as_str(), value.to_owned())),
                (Some(arg), None) if takes_value(arg) => pending = Some(arg),
                (Some(arg), None) => place.given.push((arg.get_id().as_str(), String::new())),
                (None, _) => (),
            }
            continue;
        }
        if word.starts_with('-') && word.len() > 1 && !only_values {
            continue;
        }
        match place.command.find_subcommand(word).filter(|_| !only_values) {
            Some(command) => {
                place.command = command;
                place.path = format!("{} {word}", place.path).trim_start().to_owned();
                positional = 0;
            }
            None => {
                match nth(place.command, positional) {
                    Some(arg) => place.given.push((arg.get_id().as_str(), word.clone())),
                    None => is_lost = true,
                }
                positional += 1;
            }
        }
    }
    let current = line.current.as_str();
    let behind_name = || {
        let (name, _) = current.strip_prefix("--")?.split_once('=')?;
        Some(Wanted::Value(named(place.command, name)?, name.len() + 3))
    };
    place.wanted = match pending {
        Some(arg) => Wanted::Value(arg, 0),
        None if is_lost => Wanted::Nothing,
        None if only_values || !current.starts_with('-') => Wanted::Next(nth(place.command, positional)),
        None => behind_name().unwrap_or(Wanted::Option),
    };
    place
}

fn named<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| arg.get_long() == Some(name))
}

/// The positional argument at a place; the last one may repeat.
fn nth(command: &Command, place: usize) -> Option<&Arg> {
    let last = command.get_positionals().last();
    let repeats = last.filter(|arg| matches!(arg.get_action(), ArgAction::Append));
    command.get_positionals().nth(place).or(repeats)
}

/// Whether a value follows.
pub(crate) fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

/// Whether an option may be given once more.
pub(crate) fn may_repeat(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append | ArgAction::Count)
}
