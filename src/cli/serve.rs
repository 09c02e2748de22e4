//! `switchboard serve`: everything in one process.

use std::io;
use std::io::Write;
use std::mem;
use std::net::SocketAddr;

use tokio::runtime;
use tokio::runtime::Runtime;
use tracing::info;

use crate::appliance::Appliance;
use crate::appliance::ApplianceConfig;
use crate::appliance::ApplianceError;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::logging::LogFormat;
#[cfg(feature = "opentelemetry")]
use crate::cli::metric_export::MetricExport;
use crate::cli::options::GlobalOptions;
use crate::cli::signals::Asked;
use crate::cli::signals::Hangup;
use crate::cli::signals::Signals;
use crate::model::clock::Clock;
use crate::model::json;
use crate::settings::Environment;
use crate::switchboard::THREAD_STACK;

/// Everything in one process: catchers, event handler, refresh, hot reload, web
///
/// Ctrl-C or SIGTERM ends it in order, a second one at once; neither loses what was acknowledged. SIGHUP has it read
/// rules, scripts and settings again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  switchboard serve
  switchboard serve --database sqlite:/var/lib/switchboard/switchboard.db --strict
  SWITCHBOARD_WEB_TOKEN=env:TOKEN switchboard serve --listen 0.0.0.0:3000")]
pub(crate) struct Serve {
    /// Where to listen, in place of `web.listen` of the settings; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Does not start while anything is wrong in the rules, the scripts or the settings
    #[arg(long)]
    strict: bool,
    /// Takes a database on NFS, SMB, FUSE and the like, over which the locks that keep it whole do not work
    #[arg(long)]
    unsafe_filesystem: bool,
}

impl Serve {
    pub(crate) fn run(&self, options: &GlobalOptions) -> Result<ExitCode, CliError> {
        let config = ApplianceConfig {
            roots: options.roots(),
            settings: options.settings_path(),
            environment: Environment::of_process(),
            database: options.database_url()?,
            unsafe_filesystem: self.unsafe_filesystem,
            listen: self.listen,
            is_strict: self.strict,
            clock: Clock::System,
        };
        let runtime = start_runtime()?;
        let ended = runtime.block_on(async {
            let signals = Signals::listen(Hangup::Reloads)?;
            serve(config, options.log_format, signals, |_address| Ok(())).await
        });
        // After a second signal nobody waits for what is still under way.
        Runtime::shutdown_background(runtime);
        ended
    }
}

/// What stages run on.
pub(crate) fn start_runtime() -> Result<Runtime, CliError> {
    runtime::Builder::new_multi_thread()
        .thread_stack_size(THREAD_STACK)
        .enable_all()
        .build()
        .map_err(|error| CliError::failed("cannot start", error))
}

/// Serves until a signal ends it; `started` is told where it listens.
pub(crate) async fn serve(
    config: ApplianceConfig,
    log_format: LogFormat,
    mut signals: Signals,
    started: impl FnOnce(SocketAddr) -> Result<(), CliError>,
) -> Result<ExitCode, CliError> {
    let appliance = match Appliance::start(config).await {
        Ok(appliance) => appliance,
        Err(ApplianceError::Findings(findings)) => {
            let mut stderr = io::stderr().lock();
            for finding in findings {
                // Whoever closed the place for logs wants none.
                let _closed = writeln!(stderr, "{finding}");
            }
            let _closed = writeln!(stderr, "not started, because of --strict");
            return Ok(ExitCode::No);
        }
        Err(ApplianceError::Settings(error)) => return Err(error.into()),
        Err(error) => return Err(CliError::failed("cannot serve", error)),
    };
    announce(&format!("http://{}", appliance.address()), log_format);
    if let Err(error) = started(appliance.address()) {
        appliance.stop().await;
        return Err(error);
    }
    #[cfg(feature = "opentelemetry")]
    let export = match MetricExport::start(appliance.figures()) {
        Ok(export) => export,
        Err(error) => {
            appliance.stop().await;
            return Err(error);
        }
    };
    let signal = loop {
        match signals.next().await {
            Asked::End(signal) => break signal,
            Asked::Reload => {
                info!(signal = "SIGHUP", "Reading rules, scripts and settings again.");
                appliance.reload_soon();
            }
        }
    };
    info!(signal, "Stopping.");
    let mut stopping = Box::pin(async move {
        // The figures a last time, which blocks, while there are any.
        #[cfg(feature = "opentelemetry")]
        let _sent = tokio::task::spawn_blocking(move || drop(export)).await;
        appliance.stop().await;
    });
    tokio::select! {
        () = &mut stopping => Ok(ExitCode::Fine),
        _second = signals.end() => {
            // Dropping the stages would wait for what they have in hand.
            mem::forget(stopping);
            info!("Stopped at once; what was acknowledged is kept, and goes on next time.");
            Ok(ExitCode::No)
        }
    }
}

/// Says where it listens, whatever the log level, in the form of the logs.
fn announce(url: &str, log_format: LogFormat) {
    let line = match log_format {
        LogFormat::Text => format!("listening on {url}"),
        LogFormat::Json => json::json!({"listening": url}).to_string(),
    };
    let _closed = writeln!(io::stderr(), "{line}");
}
