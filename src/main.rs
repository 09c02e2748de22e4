//! Hands the arguments to the command line.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    switchboard::cli::run(env::args_os()).into()
}
