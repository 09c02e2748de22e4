//! `switchboard completion`: what a shell needs to complete command lines, and the hidden command that it calls back.

mod line;
mod place;
mod values;

use std::ffi::OsString;
use std::io;
use std::io::Write;
use std::path::PathBuf;

use clap::CommandFactory;
use clap::ValueEnum;

use crate::cli::Cli;
use crate::cli::completion::line::Line;
use crate::cli::completion::place::Place;
use crate::cli::completion::place::Wanted;
use crate::cli::completion::values::Candidate;
use crate::cli::completion::values::Offer;
use crate::cli::completion::values::Sources;
use crate::cli::completion::values::candidate;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::logging::LogFormat;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::width::fitted;
use crate::model::unseen::is_unseen;

/// The most columns of what a candidate is known by.
const ABOUT: usize = 80;

/// What a shell needs to complete commands, options, event types, managers, rules and numbers
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  source <(switchboard completion bash)
  source <(switchboard completion zsh)
  switchboard completion fish | source")]
pub(crate) struct Completion {
    /// Whose language
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    /// In ~/.bashrc: source <(switchboard completion bash)
    Bash,
    /// In ~/.zshrc, behind compinit: source <(switchboard completion zsh)
    Zsh,
    /// In ~/.config/fish/config.fish: switchboard completion fish | source
    Fish,
}

impl Completion {
    pub(crate) fn run(&self, out: &mut Output) -> Result<ExitCode, CliError> {
        let script = match self.shell {
            Shell::Bash => include_str!("switchboard.bash"),
            Shell::Zsh => include_str!("switchboard.zsh"),
            Shell::Fish => include_str!("switchboard.fish"),
        };
        out.write_all(script.as_bytes())?;
        Ok(ExitCode::Fine)
    }
}

/// What could stand at the end of a line; the scripts of `completion` ask
///
/// Exit status 1 where the shell's own files could.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  switchboard __complete words -- switchboard event show ''")]
pub(crate) struct Complete {
    #[arg(value_enum)]
    form: Form,
    #[arg(last = true)]
    words: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// COMP_WORDBREAKS and the line; replies as bash puts them in
    Bash,
    /// The words; a value a line, behind a tab what it is
    Words,
}

impl Complete {
    pub(crate) fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        let mut words = self.words.iter().map(|word| word.to_string_lossy().into_owned());
        let line = match self.form {
            Form::Words => Line::of_words(words),
            Form::Bash => {
                let breaks = words.next().unwrap_or_default();
                Line::of_bash(&words.next().unwrap_or_default(), &breaks)
            }
        };
        let mut root = Cli::command();
        root.build();
        let place = place::find(&root, &line);
        let Some(candidates) = candidates(&place, &line.current, options) else {
            return Ok(ExitCode::No);
        };
        for candidate in &candidates {
            match self.form {
                Form::Words => print(candidate, out)?,
                Form::Bash => {
                    let reply = candidate.value.get(line.kept..).unwrap_or_default();
                    match line.is_quoted {
                        true => writeln!(out, "{reply}")?,
                        false => writeln!(out, "{}", escaped(reply))?,
                    }
                }
            }
        }
        Ok(ExitCode::Fine)
    }
}

fn print(candidate: &Candidate, out: &mut Output) -> io::Result<()> {
    let first = candidate.about.lines().next().unwrap_or_default();
    writeln!(out, "{}\t{}", candidate.value, fitted(first, ABOUT))
}

/// What could stand there; none where files could.
fn candidates(place: &Place<'_>, current: &str, options: &GlobalOptions) -> Option<Vec<Candidate>> {
    let options = options_of_line(place, options);
    let given = |id: &str| {
        let mut given = place.given.iter().filter(|(known, _)| *known == id);
        given.next_back().map(|(_, value)| value.as_str())
    };
    let sources = Sources::new(&options, given("source"));
    let mut found = Vec::new();
    match &place.wanted {
        Wanted::Value(arg, behind) => {
            let (name, typed) = current.split_at_checked(*behind)?;
            let Offer::Values(values) = sources.offer(&place.path, arg, typed) else {
                return None;
            };
            found.extend(values.into_iter().map(|value| Candidate {
                value: [name, &value.value].concat(),
                ..value
            }));
        }
        Wanted::Option => {
            let args = place.command.get_arguments().filter(|arg| !arg.is_hide_set());
            let args = args.filter(|arg| place::may_repeat(arg) || given(arg.get_id().as_str()).is_none());
            found.extend(args.filter_map(|arg| {
                let about = arg.get_help().map(ToString::to_string);
                Some(candidate(
                    format!("--{}", arg.get_long()?),
                    about.unwrap_or_default(),
                ))
            }));
        }
        Wanted::Nothing => (),
        Wanted::Next(arg) => {
            let commands = place
                .command
                .get_subcommands()
                .filter(|command| !command.is_hide_set());
            found.extend(commands.map(|command| {
                let about = command.get_about().map(ToString::to_string);
                candidate(command.get_name(), about.unwrap_or_default())
            }));
            if let Some(arg) = arg {
                let Offer::Values(values) = sources.offer(&place.path, arg, current) else {
                    return None;
                };
                found.extend(values);
            }
        }
    }
    // What nobody can see nobody can type.
    found.retain(|found| found.value.starts_with(current) && !found.value.contains(is_unseen));
    let mut known = Vec::new();
    found.retain(|found| {
        let is_new = !known.contains(&found.value);
        known.push(found.value.clone());
        is_new
    });
    Some(found)
}

/// The options as the line gives them, over those that this command was given.
fn options_of_line(place: &Place<'_>, options: &GlobalOptions) -> GlobalOptions {
    let all = |id: &str| {
        let given = place.given.iter().filter(|(known, _)| *known == id);
        given.map(|(_, value)| value.clone()).collect::<Vec<String>>()
    };
    let last = |id: &str| all(id).pop();
    let automate: Vec<PathBuf> = all("automate").into_iter().map(PathBuf::from).collect();
    GlobalOptions {
        config: last("config")
            .map(PathBuf::from)
            .or_else(|| options.config.clone()),
        automate: if automate.is_empty() {
            options.automate.clone()
        } else {
            automate
        },
        scripts: last("scripts")
            .map(PathBuf::from)
            .or_else(|| options.scripts.clone()),
        database: last("database").or_else(|| options.database.clone()),
        log_format: LogFormat::Text,
    }
}

/// A text as a part of a word of bash.
fn escaped(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:=@%,^".contains(c);
    text.chars()
        .flat_map(|c| (!is_plain(c)).then_some('\\').into_iter().chain([c]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use expect_test::expect;

    use crate::cli::completion::values::Kind;
    use crate::cli::completion::values::kind;

    /// Whoever adds an argument says here that nothing can be offered for it, or what is.
    #[test]
    fn an_argument_without_values_to_offer_is_one_of_these() {
        fn collect(command: &clap::Command, path: &str, free: &mut Vec<String>) {
            for arg in command.get_arguments().filter(|arg| place::takes_value(arg)) {
                let is_free = arg.get_possible_values().is_empty() && kind(path, arg) == Kind::Free;
                if is_free && !command.is_hide_set() {
                    free.push(format!("{path} {}", arg.get_id()).trim_start().to_owned());
                }
            }
            for inner in command.get_subcommands() {
                collect(inner, format!("{path} {}", inner.get_name()).trim_start(), free);
            }
        }
        let mut root = Cli::command();
        root.build();
        let mut free = Vec::new();
        collect(&root, "", &mut free);
        expect![[r#"
            serve listen
            demo listen
            demo cloud
            demo rate
            demo vms
            simulate header
            simulate deliveries
            ems add name
            ems add url
            event list from
            event list to
            event list limit
            event tail last
            refresh list limit
            queue list limit
            new provider name
            new provider source
            new handler guard
            new action name
            verify live
            verify rate
            verify duration
            verify chaos
            verify seed"#]]
        .assert_eq(&free.join("\n"));
    }

    #[test]
    fn a_reply_is_one_word_of_bash() {
        for (text, word) in [
            ("vm.create", "vm.create"),
            ("two words", "two\\ words"),
            ("$(id)'s", "\\$\\(id\\)\\'s"),
            ("漢字*", "漢字\\*"),
        ] {
            assert_eq!(escaped(text), word);
        }
    }
}
