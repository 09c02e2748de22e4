//! Logs on standard error: for people, or as JSON. `RUST_LOG` decides how much.

use std::io;
use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::cli::palette::wants_color;

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON document a line.
    Json,
}

/// Begins to log; `usual` is the level where `RUST_LOG` says nothing.
pub(crate) fn start(format: LogFormat, usual: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new(usual));
    // The HTTP client tells whole URLs, and a hook's URL may be a secret.
    let filter = match "ureq=off".parse() {
        Ok(silence) => filter.add_directive(silence),
        Err(_never) => filter,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // A test that runs two commands in one process keeps the first subscriber.
    let _kept = match format {
        LogFormat::Text => subscriber
            .with_ansi(wants_color(io::stderr().is_terminal()))
            .try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
}
