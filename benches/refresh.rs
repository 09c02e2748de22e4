//! What a refresh costs in the database: the saver beside bare batched upserts, and joining what waits.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

mod inventory;
#[expect(dead_code, reason = "other benches use the rest")]
mod measure;
mod upserts;

use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use switchboard::model::clock::Clock;
use switchboard::model::clock::SignedDuration;
use switchboard::model::ems::EmsId;
use switchboard::model::inventory::Collected;
use switchboard::model::inventory::RefreshScope;
use switchboard::model::target::ManagerRef;
use switchboard::model::target::Target;
use switchboard::vmdb::DatabaseUrl;
use switchboard::vmdb::NewEms;
use switchboard::vmdb::RefreshPace;
use switchboard::vmdb::RefreshRequest;
use switchboard::vmdb::RunningRefresh;
use switchboard::vmdb::Vmdb;
use tempfile::TempDir;

use crate::inventory::Step;
use crate::upserts::Upserts;

/// VMs of the manager that is refreshed; each has a disk.
const VMS: usize = 20_000;
/// How often each step is done; the best time counts.
const ROUNDS: usize = 3;
/// How often another one writes while objects are saved.
const BETWEEN_NOTES: Duration = Duration::from_millis(5);
/// How many targets wait.
const WAITING: [usize; 2] = [100, 100_000];

fn main() {
    saving();
    holding_up();
    joining();
}

/// A database of its own, with one manager.
struct Database {
    folder: TempDir,
    vmdb: Vmdb,
    ems_id: EmsId,
}

impl Database {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let url = DatabaseUrl::sqlite(folder.path().join("bench.db"));
        let vmdb = Vmdb::open_to_serve(&url, Clock::System).unwrap();
        let new = NewEms {
            name: "cloud".to_owned(),
            provider: "awesome_cloud".to_owned(),
            ..NewEms::default()
        };
        let ems_id = vmdb.ems_add(new).wait().unwrap().id;
        Self { folder, vmdb, ems_id }
    }

    fn ask(&self, targets: Vec<Target>, full: Option<&str>) {
        let request = RefreshRequest {
            ems_id: self.ems_id,
            targets,
            full: full.map(ToOwned::to_owned),
        };
        self.vmdb.queue_refresh(&request).wait().unwrap();
    }

    fn take(&self) -> RunningRefresh {
        let at_once = RefreshPace {
            longest_pause: SignedDuration::from_hours(1),
            gather: SignedDuration::from_secs(-1),
            gather_most: SignedDuration::from_secs(-1),
        };
        self.vmdb.refresh_take(at_once, |_| true).unwrap().unwrap()
    }

    /// Saves a full refresh that brings this; the time is that of saving alone.
    fn refresh(&self, collected: &Collected) -> Duration {
        self.ask(Vec::new(), Some("a bench"));
        let id = self.take().id;
        let save = || {
            self.vmdb
                .refresh_save(id, self.ems_id, &RefreshScope::Full, collected)
        };
        let (time, saved) = measure::once(save);
        saved.unwrap();
        time
    }
}

/// Rows per second of the saver and of bare upserts, which know beforehand what changed and from what.
fn saving() {
    let rows = 2 * VMS;
    println!(
        "Saving a full refresh of {VMS} VMs, each with a disk: rows/s, best of {ROUNDS}, in turns (aim: 0.7 or better)"
    );
    let mut best = [[Duration::MAX; 3]; Step::ALL.len()];
    for _ in 0..ROUNDS {
        let saver = Database::new();
        let mut bare = [false, true].map(|spares| Upserts::new(Database::new().into_parts(), spares));
        for (step, best) in Step::ALL.into_iter().zip(&mut best) {
            let collected = inventory::collected(VMS, step);
            let [saver_best, bare_best @ ..] = best;
            *saver_best = saver.refresh(&collected).min(*saver_best);
            for (bare, best) in bare.iter_mut().zip(bare_best) {
                *best = bare.step(step, &collected).min(*best);
            }
        }
    }
    for (step, [saver, upserts, sparing]) in Step::ALL.into_iter().zip(best) {
        let rate = |time: Duration| rows as f64 / time.as_secs_f64();
        println!(
            "{:<14} saver {:>8.0}   upserts {:>8.0} ratio {:>5.2}   upserts of what differs {:>8.0} ratio {:>5.2}",
            step.name(),
            rate(saver),
            rate(upserts),
            rate(saver) / rate(upserts),
            rate(sparing),
            rate(saver) / rate(sparing),
        );
    }
}

/// How long others wait for the writer while a large refresh is saved.
fn holding_up() {
    println!("\nWhile 100,000 new objects are saved:");
    let database = Database::new();
    let collected = inventory::collected(50_000, Step::New);
    let commits = || database.vmdb.commit_times().buckets();
    let before = commits();
    database.ask(Vec::new(), Some("a bench"));
    let id = database.take().id;
    let (over, is_over) = mpsc::channel::<()>();
    let mut waits: Vec<Duration> = thread::scope(|scope| {
        let note = || database.vmdb.refresh_progress(id, "a note".to_owned()).wait();
        let others = scope.spawn(move || {
            let mut waits = Vec::new();
            while is_over.recv_timeout(BETWEEN_NOTES) == Err(RecvTimeoutError::Timeout) {
                let (time, noted) = measure::once(note);
                noted.unwrap();
                waits.push(time);
            }
            waits
        });
        let (time, saved) = measure::once(|| {
            database
                .vmdb
                .refresh_save(id, database.ems_id, &RefreshScope::Full, &collected)
        });
        saved.unwrap();
        drop(over);
        measure::print_figure("  it takes", time.as_secs_f64() * 1e3, "ms", "");
        others.join().unwrap()
    });
    waits.sort_unstable();
    for (what, percent) in [("median", 50), ("99th of 100", 99), ("longest", 100)] {
        let wait = waits.get((waits.len() - 1) * percent / 100).unwrap();
        let wait = wait.as_secs_f64() * 1e3;
        measure::print_figure(&format!("  another writer waits, {what}"), wait, "ms", "");
    }
    let after = commits();
    for ((bound, count), (_, earlier)) in after.up_to.iter().zip(&before.up_to) {
        if [0.01, 0.025, 0.05, 0.1].contains(bound) {
            let share = (count - earlier) as f64 / (after.count - before.count) as f64 * 100.0;
            measure::print_figure(
                &format!("  transactions within {:.0} ms", bound * 1e3),
                share,
                "%",
                "",
            );
        }
    }
}

/// Asks for targets where few wait and where many do, and takes them.
fn joining() {
    println!("\nJoining a waiting refresh, one commit each: us, best (targets are new, or wait already)");
    let [few, many] = WAITING;
    println!(
        "{:<24} {:>14} {:>14} {:>10} {:>16}",
        "",
        format!("at {few}"),
        format!("at {many}"),
        "ratio",
        format!("a target, at {many}")
    );
    let large = waiting(many);
    for is_new in [true, false] {
        for count in [1, 10, 1_000] {
            let mut times = [Vec::new(), Vec::new()];
            for round in 0..if count == 1_000 { 11 } else { 41 } {
                // Where few wait, those that were added would soon be the most.
                let small = waiting(few);
                for (database, times) in [&small, &large].into_iter().zip(&mut times) {
                    let targets = if is_new {
                        targets(&format!("new-{count}-{round}"), count)
                    } else {
                        targets("waits", count.min(few))
                            .into_iter()
                            .cycle()
                            .take(count)
                            .collect()
                    };
                    times.push(measure::once(|| database.ask(targets, None)).0);
                }
            }
            let [few, many] = times.map(|times| {
                let best = times.into_iter().min().unwrap();
                best.as_secs_f64() * 1e6
            });
            println!(
                "{:<24} {few:>14.0} {many:>14.0} {:>10.2} {:>16.2}",
                format!("{count} {}", if is_new { "new" } else { "equal" }),
                many / few,
                many / count as f64,
            );
        }
    }
    let (time, taken) = measure::once(|| large.take());
    measure::print_figure(
        &format!("taking a refresh of {} targets", taken.targets.len()),
        time.as_secs_f64() * 1e3,
        "ms",
        "",
    );
}

/// A database where so many targets wait.
fn waiting(count: usize) -> Database {
    let database = Database::new();
    for chunk in targets("waits", count).chunks(5_000) {
        database.ask(chunk.to_vec(), None);
    }
    database
}

fn targets(name: &str, count: usize) -> Vec<Target> {
    let target = |number| Target::new("vms", ManagerRef::ems_ref(format!("{name}-{number:06}")));
    (0..count).map(target).collect()
}

impl Database {
    /// For whoever writes without the saver.
    fn into_parts(self) -> (TempDir, EmsId) {
        self.vmdb.close();
        (self.folder, self.ems_id)
    }
}
