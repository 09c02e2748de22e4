//! Logs on standard error: for people, or as JSON. `RUST_LOG` decides how much.

use std::env;
use std::io;
use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::error::CliError;
use crate::cli::log_lines::OneLine;
use crate::cli::palette::wants_color;
#[cfg(feature = "opentelemetry")]
use crate::cli::trace_export::TraceExport;
use crate::model::event_span;

const RUST_LOG: &str = "RUST_LOG";

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON document a line.
    Json,
}

/// What logs and traces need while they are written; at its end what waits is sent.
#[derive(Debug)]
pub(crate) struct Logging {
    #[cfg(feature = "opentelemetry")]
    _traces: Option<TraceExport>,
}

/// Begins to log; `usual` is the level where `RUST_LOG` says nothing. A command that `handles_events` sends their
/// spans too, where the environment says to whom.
pub(crate) fn start(format: LogFormat, usual: &str, handles_events: bool) -> Result<Logging, CliError> {
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Text => lines
            .fmt_fields(OneLine::default())
            .with_ansi(wants_color(io::stderr().is_terminal()))
            .boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let lines = lines.with_filter(filter(format, usual));
    // A test that runs two commands in one process keeps the first subscriber.
    #[cfg(feature = "opentelemetry")]
    {
        let traces = match handles_events && has_receiver("TRACES") {
            true => {
                Some(TraceExport::start().map_err(|error| CliError::failed("cannot send traces", error))?)
            }
            false => None,
        };
        let spans = traces.as_ref().map(TraceExport::layer);
        let _kept = tracing_subscriber::registry().with(lines).with(spans).try_init();
        Ok(Logging { _traces: traces })
    }
    #[cfg(not(feature = "opentelemetry"))]
    {
        let _kept = tracing_subscriber::registry().with(lines).try_init();
        if handles_events && (has_receiver("TRACES") || has_receiver("METRICS")) {
            tracing::warn!(
                "Sends neither traces nor figures: this program was built without the feature `opentelemetry`."
            );
        }
        Ok(Logging {})
    }
}

/// Whether the environment names a receiver of `TRACES` or `METRICS`; without one none are sent.
pub(crate) fn has_receiver(what: &str) -> bool {
    let is_off = env::var(format!("OTEL_{what}_EXPORTER")).is_ok_and(|told| told == "none");
    let names = [
        "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(),
        format!("OTEL_EXPORTER_OTLP_{what}_ENDPOINT"),
    ];
    !is_off && names.iter().any(|name| env::var_os(name).is_some())
}

/// What is logged. Lines in JSON carry the fields of the event that they belong to; for people they would be long.
fn filter(format: LogFormat, usual: &str) -> EnvFilter {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new(usual));
    // The HTTP client tells whole URLs, and a hook's URL may be a secret.
    let filter = match "ureq=off".parse() {
        Ok(silence) => filter.add_directive(silence),
        Err(_never) => filter,
    };
    let is_named = env::var(RUST_LOG).is_ok_and(|told| told.contains(event_span::TARGET));
    let spans = format!("{}=debug", event_span::TARGET).parse();
    match (format, spans) {
        (LogFormat::Json, Ok(spans)) if !is_named => filter.add_directive(spans),
        _as_told => filter,
    }
}
