//! The command line: one file per command, and what all of them share.
//!
//! Results go to standard output, logs and progress to standard error. Knows whom to ask, decides nothing itself.

mod backup;
mod check;
mod completion;
mod database;
mod demo;
mod document;
mod ems;
mod ems_list;
mod error;
mod event;
mod exit_code;
mod format;
mod log_lines;
mod logging;
#[cfg(feature = "opentelemetry")]
mod metric_export;
mod new;
mod options;
#[cfg(feature = "opentelemetry")]
mod otlp;
mod output;
mod palette;
mod queue;
mod refresh;
mod secret;
mod serve;
mod settings;
mod shell;
mod signals;
mod simulate;
mod table;
#[cfg(feature = "opentelemetry")]
mod trace_export;
mod verify;
mod width;

use std::ffi::OsString;
use std::io;
use std::io::Write;

use clap::Parser;
use clap::Subcommand;

pub use crate::cli::exit_code::ExitCode;

use crate::cli::error::CliError;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;

/// An event switchboard: cloud events in, targeted refreshes out, rules in between.
#[derive(Debug, Parser)]
#[command(
    name = "switchboard",
    version,
    disable_help_subcommand = true,
    after_help = "Examples:
  switchboard check
  switchboard simulate --source AMAZON --event-type AWS_API_CALL_StopInstances
  switchboard serve
  switchboard demo

Exit status: 0 fine, 1 the answer is no (findings, failed tests), 2 wrong usage or unreadable input."
)]
struct Cli {
    #[command(flatten)]
    options: GlobalOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Simulate(simulate::Simulate),
    Check(check::Check),
    #[command(subcommand)]
    Ems(ems::EmsCommand),
    #[command(subcommand)]
    Event(event::EventCommand),
    #[command(subcommand)]
    Refresh(refresh::RefreshCommand),
    #[command(subcommand)]
    Queue(queue::QueueCommand),
    #[command(subcommand)]
    New(new::NewCommand),
    Verify(verify::Verify),
    Backup(backup::Backup),
    Settings(settings::PrintSettings),
    Secret(secret::Secret),
    Completion(completion::Completion),
    #[command(name = "__complete", hide = true)]
    Complete(completion::Complete),
}

/// Runs one command line, the program's name first, and says how it ended.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // A reader that has gone away needs no help text.
            let _gone = error.print();
            return if error.use_stderr() {
                ExitCode::Unusable
            } else {
                ExitCode::Fine
            };
        }
    };
    let mut output = Output::stdout();
    let ended = dispatch(&cli, &mut output).and_then(|code| {
        output.flush()?;
        Ok(code)
    });
    match ended {
        Ok(code) => code,
        Err(CliError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::Fine,
        Err(error) => {
            error.report(&mut io::stderr().lock());
            ExitCode::Unusable
        }
    }
}

fn dispatch(cli: &Cli, output: &mut Output) -> Result<ExitCode, CliError> {
    let options = &cli.options;
    let (serves, usual) = match &cli.command {
        Command::Serve(_) => (true, "info"),
        Command::Demo(_) => (true, demo::LOGGED),
        _other => (false, "warn"),
    };
    let _logging = logging::start(options.log_format, usual, serves)?;
    match &cli.command {
        Command::Serve(command) => command.run(options),
        Command::Demo(command) => command.run(options, output),
        Command::Simulate(command) => command.run(options, output),
        Command::Check(command) => command.run(options, output),
        Command::Ems(command) => command.run(options, output),
        Command::Event(command) => command.run(options, output),
        Command::Refresh(command) => command.run(options, output),
        Command::Queue(command) => command.run(options, output),
        Command::New(command) => command.run(options, output),
        Command::Verify(command) => command.run(options, output),
        Command::Backup(command) => command.run(options, output),
        Command::Settings(command) => command.run(options, output),
        Command::Secret(command) => command.run(output),
        Command::Completion(command) => command.run(output),
        Command::Complete(command) => command.run(options, output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use clap::CommandFactory;

    #[test]
    fn every_command_ends_its_help_with_an_example() {
        fn check(command: &clap::Command, path: &str) {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(help.contains("Example"), "`{path}` shows no example");
            for inner in command.get_subcommands() {
                check(inner, &format!("{path} {}", inner.get_name()));
            }
        }
        let command = Cli::command();
        command.clone().debug_assert();
        check(&command, "switchboard");
    }
}
