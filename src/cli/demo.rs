//! `switchboard demo`: `serve` beside a simulated cloud that changes by itself, on a temporary database.

// The one in `examples/`, so that there is one simulated cloud for people, the tests and this.
#[path = "../../examples/awesome_cloud/cloud/mod.rs"]
#[expect(dead_code, reason = "tests use the rest")]
mod cloud;

use std::env;
use std::fmt;
use std::io::ErrorKind;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;

use crate::appliance::ApplianceConfig;
use crate::cli::demo::cloud::AwesomeCloud;
use crate::cli::demo::cloud::Beginning;
use crate::cli::demo::cloud::Kind;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::serve::serve;
use crate::cli::serve::start_runtime;
use crate::cli::shell::quoted;
use crate::cli::signals::Hangup;
use crate::cli::signals::Signals;
use crate::model::clock::Clock;
use crate::settings::Environment;
use crate::vmdb::DatabaseUrl;
use crate::vmdb::NewEms;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;

/// What is logged: what a reader of the text that is printed could ask about, and no more.
pub(crate) const LOGGED: &str = "warn,switchboard::reload=info";
/// Where to listen unless told otherwise; any free port where these are taken.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);
const CLOUD: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8100);
/// The name of the manager, and the kind that it is.
const EMS: &str = "demo";
const PROVIDER: &str = "awesome_cloud";
/// Quicker than elsewhere, because people watch: how often the cloud is asked for events, and how long targets are
/// gathered while something happens all the time.
const PACE: [(&str, &str); 2] = [
    (
        "workers.worker_base.event_catcher.event_catcher_awesome_cloud.poll",
        "1s",
    ),
    ("ems_refresh.gather_most", "2s"),
];

/// `serve` beside a simulated AWESOME_CLOUD that changes by itself
///
/// On a temporary database, which is removed at the end, with the rules, scripts and settings that `serve` would use.
/// Prints where everything is, and three things to try. Ctrl-C ends it in order.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  switchboard demo
  switchboard demo --rate 20 --vms 200
  switchboard demo --listen 127.0.0.1:4000 --cloud 127.0.0.1:0")]
pub(crate) struct Demo {
    /// Where to listen; port 0 takes any free one [default: 127.0.0.1:3000, or a free port where that is taken]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where the cloud listens [default: 127.0.0.1:8100, or a free port where that is taken]
    #[arg(long, value_name = "ADDRESS")]
    cloud: Option<SocketAddr>,
    /// How much happens in the cloud by itself, in changes a second
    #[arg(long, value_name = "R", default_value_t = 1.0, value_parser = rate)]
    rate: f64,
    /// How many VMs there are at the beginning
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..))]
    vms: u16,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.0..=1_000.0).contains(rate));
    rate.ok_or_else(|| "a number from 0 to 1000 is expected".to_owned())
}

impl Demo {
    pub(crate) fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        if options.database.is_some() {
            return Err(CliError::usage(
                "`demo` works on a temporary database of its own",
                "leave --database out, or start `switchboard serve` on that database",
            ));
        }
        if !options.provider_folders().iter().any(|name| name == PROVIDER) {
            return Err(CliError::usage(
                format!("there is no provider `{PROVIDER}` under the scripts"),
                "run this in the project's folder, or name the folders with --automate DIR and --scripts DIR",
            ));
        }
        let runtime = start_runtime()?;
        // From here on neither Ctrl-C nor a terminal that is closed leaves anything behind.
        let signals = runtime.block_on(async { Signals::listen(Hangup::Ends) })?;
        let folder = tempfile::Builder::new().prefix("switchboard-demo.").tempdir();
        let folder =
            folder.map_err(|error| CliError::failed("cannot make a folder for the database", error))?;
        let path = folder.path().join("demo.db");
        let database: DatabaseUrl = format!("sqlite:{}", path.display()).parse()?;
        let cloud = runtime.block_on(self.start_cloud())?;
        let vm = cloud.objects().of(Kind::Vm).map(|(id, _)| id.clone()).next();
        let vm = vm.unwrap_or_default();
        cloud.spare(&vm);
        add_manager(&database, &cloud)?;
        let environment = PACE
            .iter()
            .fold(Environment::of_process(), |all, (setting, value)| {
                all.or(setting, value)
            });
        let database_shown = database.to_string();
        let config = ApplianceConfig {
            roots: options.roots(),
            settings: options.settings_path(),
            environment,
            database,
            // Where temporary files are, and nothing in it is missed.
            unsafe_filesystem: true,
            listen: Some(self.listen.unwrap_or_else(|| free(LISTEN))),
            is_strict: false,
            clock: Clock::System,
        };
        let started = |address| {
            let guide = Guide {
                url: format!("http://{address}"),
                cloud: cloud.url(),
                rate: self.rate,
                vm,
                program: program(),
                database: database_shown,
                folders: folders(options),
            };
            write!(out, "{guide}")?;
            out.flush()?;
            cloud.set_rate(self.rate);
            Ok(())
        };
        let ended = runtime.block_on(serve(config, options.log_format, signals, started));
        Runtime::shutdown_background(runtime);
        let path = folder.path().to_owned();
        folder
            .close()
            .map_err(|source| CliError::Unreadable { path, source })?;
        ended
    }

    async fn start_cloud(&self) -> Result<AwesomeCloud, CliError> {
        let beginning = Beginning {
            listen: self.cloud.unwrap_or_else(|| free(CLOUD)),
            seed: u64::from(std::process::id()),
            vms: usize::from(self.vms),
            token: None,
            now: Arc::new(|| Clock::System.now()),
        };
        let listen = beginning.listen;
        let started = AwesomeCloud::start(beginning).await;
        started.map_err(|error| CliError::failed(format!("the cloud cannot listen on {listen}"), error))
    }
}

/// The address, or any free port where it is taken.
fn free(address: SocketAddr) -> SocketAddr {
    match TcpListener::bind(address) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => SocketAddr::new(address.ip(), 0),
        _free_or_worse => address,
    }
}

fn add_manager(database: &DatabaseUrl, cloud: &AwesomeCloud) -> Result<(), VmdbError> {
    let vmdb = Vmdb::open(database, Clock::System)?;
    let added = vmdb.ems_add(NewEms {
        name: EMS.to_owned(),
        provider: PROVIDER.to_owned(),
        url: Some(cloud.url()),
        credentials: None,
    });
    added.wait()?;
    vmdb.close();
    Ok(())
}

/// This program, as a shell here finds it.
fn program() -> String {
    let Ok(program) = env::current_exe() else {
        return "switchboard".to_owned();
    };
    let here = env::current_dir().unwrap_or_default();
    // With a dot in front, or the function that is to be defined would call itself.
    let within = program.strip_prefix(&here).map(|path| Path::new(".").join(path));
    quoted(&within.unwrap_or(program).display().to_string())
}

/// Where rules and scripts are read from.
fn folders(options: &GlobalOptions) -> String {
    let roots = options.roots();
    let folders: Vec<String> = roots
        .iter()
        .map(|root| quoted(&root.folder.display().to_string()))
        .collect();
    folders.join(", ")
}

/// What is printed once all runs.
struct Guide {
    url: String,
    cloud: String,
    rate: f64,
    /// A VM that chance leaves alone.
    vm: String,
    program: String,
    database: String,
    folders: String,
}

impl fmt::Display for Guide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            url,
            cloud,
            rate,
            vm,
            program,
            database,
            folders,
        } = self;
        let json = "-H 'Content-Type: application/json'";
        write!(
            f,
            "\
Switchboard   {url}      /readyz, /metrics, /api/event_streams, /api/refreshes, /api/inventory/vms
the cloud     {cloud}      /vms, /volumes, /networks, /hosts, /events; {rate} changes a second by chance
rules         {folders}      save a file there, and what becomes of it is told below
database      {database}      removed at the end (Ctrl-C)

Three things to try, in a second terminal, in this folder. First:

  switchboard() {{ {program} --database '{database}' \"$@\"; }}

1. A VM is created in the cloud. Seconds later there is its event, and its row in the inventory.

  curl -s {cloud}/commands {json} -d '{{\"do\": \"create\", \"name\": \"hello\"}}'; echo
  sleep 4
  switchboard event list --event-type com.awesomecloud.vm.create --limit 3
  curl -s '{url}/api/inventory/vms?limit=1000' | grep -o '\"name\":\"hello\"[^}}]*}}[^}}]*'

2. A VM is stopped. The event says which rules it went through, and what was read again because of it.

  curl -s {cloud}/commands {json} -d '{{\"do\": \"stop\", \"vm\": \"{vm}\"}}'; echo
  sleep 4
  switchboard event list --target vms:{vm} --limit 3
  switchboard event show \"$(switchboard event list --target vms:{vm} --limit 1 --format json | sed 's/[^0-9]*\\([0-9]*\\).*/\\1/')\"
  switchboard refresh list --limit 5

3. The cloud fails for a while: nothing is lost, and nothing is archived by mistake.

  curl -s -X PUT {cloud}/faults {json} -d '{{\"error_rate\": 1}}'; echo
  sleep 4
  curl -s {url}/readyz; echo
  curl -s -X PUT {cloud}/faults {json} -d '{{}}'; echo
  switchboard ems list

"
        )
    }
}
