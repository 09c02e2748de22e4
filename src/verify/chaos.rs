//! Kills a system of its own at random times under load, again and again, and looks whether anything is lost.
//!
//! The ledger is kept by this process, which nobody kills, and is written before each send.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use fastrand::Rng;
use parking_lot::Mutex;
use parking_lot::RwLock;
use serde::Serialize;

use crate::model::clock::Clock;
use crate::verify::client::Client;
use crate::verify::ledger::Ledger;
use crate::verify::ledger::LedgerError;
use crate::verify::ledger::LedgerWriter;
use crate::verify::oracle;
use crate::verify::oracle::Sums;
use crate::verify::sender::Sending;
use crate::verify::serve_process::ServeCommand;
use crate::verify::serve_process::ServeProcess;
use crate::vmdb::DatabaseUrl;
use crate::vmdb::Finding;
use crate::vmdb::MessageState;
use crate::vmdb::NewEms;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;

/// The manager that the events are sent for, and its kind.
const EMS: &str = "chaos";
const PROVIDER: &str = "awesome_cloud";
const SENDERS: usize = 4;
/// How long a killed system lives under load at most, in milliseconds.
const LONGEST_LIFE: u64 = 600;
/// How long one that is killed while it starts lives at most.
const SHORTEST_LIFE: u64 = 150;
/// One of so many is killed while it starts.
const KILLED_EARLY: u32 = 5;
/// How long it may take until everything is handled.
const QUIET: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(50);

/// What is killed, and how often.
#[derive(Clone, Debug)]
pub struct ChaosConfig {
    /// The program.
    pub program: PathBuf,
    /// Where its rules and scripts are: what stands behind `serve`.
    pub arguments: Vec<OsString>,
    /// An empty folder for its database and the ledger.
    pub folder: PathBuf,
    /// How often it is killed.
    pub kills: u32,
    /// What chance begins with: the same one kills at the same times, as far as the machine allows.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ChaosReport {
    /// How often it was killed.
    pub kills: u32,
    /// What chance began with.
    pub seed: u64,
    /// Requests that were sent again, for want of an answer.
    pub repeats: u64,
    /// The ledger against the database.
    #[serde(flatten)]
    pub sums: Sums,
    /// With 95 % confidence a kill loses something with a smaller chance than this: 3 / kills, where none did.
    pub bound: Option<f64>,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum ChaosError {
    /// A file or a process.
    #[error("cannot {doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database.
    #[error(transparent)]
    Vmdb(#[from] VmdbError),
    /// The system does not start, or does not end in order.
    #[error("`switchboard serve` failed: {0}")]
    Serve(String),
    /// A sender was refused.
    #[error("the events are not taken: {0}")]
    Sender(String),
    /// It does not come to rest.
    #[error("after {} s there is still something to be handled: {left}", QUIET.as_secs())]
    Restless {
        /// What is left.
        left: String,
    },
}

/// Runs it; `tell` hears after each kill how often that was.
///
/// # Errors
/// When it cannot be carried out. What was lost is a finding.
pub fn run(
    config: &ChaosConfig,
    mut tell: impl FnMut(u32),
    found: impl FnMut(Finding),
) -> Result<ChaosReport, ChaosError> {
    let database = DatabaseUrl::sqlite(config.folder.join("chaos.db"));
    let ledger = config.folder.join("ledger.jsonl");
    let settings = config.folder.join("settings.yml");
    let io = |doing| move |source| ChaosError::Io { doing, source };
    fs::write(&settings, "# Nothing but the defaults.\n").map_err(io("write the settings"))?;
    let mut command = ServeCommand {
        program: config.program.clone(),
        arguments: config.arguments.clone(),
    };
    let own = [
        "--config".into(),
        settings.into_os_string(),
        "--database".into(),
        database.to_string().into(),
    ];
    command.arguments.extend(own);
    add_manager(&database)?;
    let sending = Sending {
        ems: EMS.to_owned(),
        ledger: Mutex::new(LedgerWriter::append_to(&ledger)?),
        client: RwLock::default(),
        is_enough: AtomicBool::new(false),
        is_broken_off: AtomicBool::new(false),
    };
    let mut rng = Rng::with_seed(config.seed);
    let (process, repeats) = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (sending, rng) = (&sending, rng.fork());
                scope.spawn(move || sending.send(sender, rng))
            })
            .collect();
        let killed = kill(config.kills, &command, &sending, &mut rng, &mut tell);
        sending.is_enough.store(true, Ordering::Release);
        sending.is_broken_off.store(killed.is_err(), Ordering::Release);
        let mut repeats = 0;
        for sender in senders {
            let sent = sender
                .join()
                .map_err(|_| ChaosError::Sender("a sender ended".to_owned()))?;
            repeats += sent.map_err(|error| ChaosError::Sender(error.to_string()))?;
        }
        Ok::<_, ChaosError>((killed?, repeats))
    })?;
    until_quiet(&database)?;
    process.terminate().map_err(ChaosError::Serve)?;
    let sums = oracle::check(&database, &read(&ledger)?, &Clock::System, found)?;
    Ok(ChaosReport {
        kills: config.kills,
        seed: config.seed,
        repeats,
        sums,
        bound: sums.is_fine().then(|| 3.0 / f64::from(config.kills.max(1))),
    })
}

fn read(ledger: &Path) -> Result<Ledger, LedgerError> {
    Ledger::read(ledger)
}

fn add_manager(database: &DatabaseUrl) -> Result<(), VmdbError> {
    let vmdb = Vmdb::open(database, Clock::System)?;
    let new = NewEms {
        name: EMS.to_owned(),
        provider: PROVIDER.to_owned(),
        ..NewEms::default()
    };
    vmdb.ems_add(new).wait()?;
    vmdb.close();
    Ok(())
}

/// Starts it and kills it, so often; the one that is alive at the end.
fn kill(
    kills: u32,
    command: &ServeCommand,
    sending: &Sending,
    rng: &mut Rng,
    tell: &mut impl FnMut(u32),
) -> Result<ServeProcess, ChaosError> {
    let io = |doing| move |source| ChaosError::Io { doing, source };
    for number in 1..=kills {
        let mut process = ServeProcess::start(command).map_err(io("start `switchboard serve`"))?;
        // The first one has to be seen running: what never starts loses nothing.
        if number > 1 && rng.u32(0..KILLED_EARLY) == 0 {
            thread::park_timeout(Duration::from_millis(rng.u64(0..SHORTEST_LIFE)));
        } else {
            let url = process.url().map_err(ChaosError::Serve)?;
            *sending.client.write() = Some(Client::new(&url, None));
            thread::park_timeout(Duration::from_millis(rng.u64(0..LONGEST_LIFE)));
        }
        process.kill().map_err(io("kill it"))?;
        *sending.client.write() = None;
        tell(number);
    }
    let process = ServeProcess::start(command).map_err(io("start `switchboard serve`"))?;
    let url = process.url().map_err(ChaosError::Serve)?;
    *sending.client.write() = Some(Client::new(&url, None));
    Ok(process)
}

/// Waits until every message is handled. Those that were in hand in two kills were given up: they are tried again,
/// as an operator would have it.
fn until_quiet(database: &DatabaseUrl) -> Result<(), ChaosError> {
    let vmdb = Vmdb::open(database, Clock::System)?;
    let end = Instant::now() + QUIET;
    loop {
        for state in [MessageState::Parked, MessageState::Dead] {
            vmdb.queue_retry_all(state).wait()?;
        }
        let counts = vmdb.queue_counts()?;
        if counts.ready + counts.waiting + counts.parked + counts.dead == 0 {
            vmdb.close();
            return Ok(());
        }
        if end < Instant::now() {
            let left = format!(
                "{} ready, {} waiting, {} parked, {} dead",
                counts.ready, counts.waiting, counts.parked, counts.dead
            );
            return Err(ChaosError::Restless { left });
        }
        thread::park_timeout(LOOK);
    }
}
