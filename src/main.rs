//! Hands the arguments to the command line.

use std::env;
use std::process::ExitCode;

/// Events are parsed on one thread and freed on another, a hundred small pieces each: the allocator of the system takes
/// locks for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    switchboard::cli::run(env::args_os()).into()
}
