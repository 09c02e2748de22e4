//! What the durable pipeline brings, from the door to the targets that wait, beside two others in the same run.
//!
//! The lean one writes the same rows, which it finds ready, and does nothing else. The prototype parses the events and
//! runs the same scripts on a bare engine before it writes them, which is the least that any pipeline has to do.
//!
//! `cargo bench --bench pipeline`, and behind `--` any of `throughput`, `latency`, `stored`. Environment variables:
//! `SWITCHBOARD_BENCH_FOLDER` (a folder on the disk to measure), `SWITCHBOARD_BENCH_EVENTS` (of a run of the
//! throughput), `SWITCHBOARD_BENCH_ROUNDS`, `SWITCHBOARD_BENCH_STORED` (events that are there before: 5000000 for
//! the full size, which takes about 20 GB).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a bench"
)]

#[expect(dead_code, reason = "another bench calls the rest of it")]
mod floor;
mod lean;
mod load;
mod prototype;
mod served;
mod threads;

use std::fs;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::lean::Rows;
use crate::load::Caller;
use crate::served::Folder;
use crate::served::Served;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Events in a request, or in a transaction of the lean pipeline.
const BATCHES: [usize; 4] = [1, 10, 100, 1_000];
/// Connections that send at once.
const CONNECTIONS: usize = 8;
/// Events a second at which the latency is measured, and connections that bring them.
const RATE: usize = 1_000;
const LATE_CONNECTIONS: usize = 16;

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    println!(
        "Best of {} rounds, in turns; only ratios of one run can be compared.\n",
        rounds()
    );
    if is_wanted("throughput") {
        throughput();
    }
    if is_wanted("latency") {
        latency();
    }
    if is_wanted("stored") {
        stored();
    }
}

fn knob(name: &str, default: usize) -> usize {
    let given = std::env::var(format!("SWITCHBOARD_BENCH_{name}"));
    given.map_or(default, |given| given.parse().unwrap())
}

fn rounds() -> usize {
    knob("ROUNDS", 3)
}

/// Fewer events where each costs a flush of the disk.
fn events_at(batch: usize) -> usize {
    let most = knob("EVENTS", 40_000);
    match batch {
        1 => most / 8,
        10 => most / 2,
        _ => most,
    }
}

/// What one run brought.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    rate: f64,
    bytes: f64,
    /// Microseconds on a processor for each event, of the thread that writes.
    writer: f64,
    /// The same of all threads but those that send.
    all: f64,
}

impl Run {
    /// Runs `work`, which takes care of so many events and tells how long it took.
    fn of(events: usize, work: impl FnOnce() -> Duration) -> Self {
        let (before, costs_before, idle_before) = (bytes_written(), threads::costs(), idle());
        let time = work();
        let costs = threads::costs();
        let spent = |name: &String| {
            let before = costs_before.get(name).copied().unwrap_or_default();
            (costs[name].on.saturating_sub(before.on)).as_secs_f64() * 1e6 / events as f64
        };
        if knob("THREADS", 0) == 1 {
            let idle = (idle() - idle_before).as_secs_f64() * 1e6 / events as f64;
            println!(
                "    in {:.1} us an event, processors idle for {idle:.1} us",
                time.as_secs_f64() * 1e6 / events as f64
            );
            for (name, cost) in &costs {
                let waited = cost.waited.as_secs_f64() * 1e6 / events as f64;
                println!(
                    "    {name:<16} {:>7.1} us an event, waited {waited:>7.1} us for a processor",
                    spent(name)
                );
            }
        }
        let appliance = costs.keys().filter(|name| **name != threads::own());
        let (writer, all) = match costs.keys().find(|name| *name == "vmdb writer") {
            Some(name) => (spent(name), appliance.map(spent).sum()),
            None => (spent(&threads::own()), spent(&threads::own())),
        };
        Self {
            rate: events as f64 / time.as_secs_f64(),
            bytes: (bytes_written() - before) as f64 / events as f64,
            writer,
            all,
        }
    }

    fn best(self, other: Self) -> Self {
        if self.rate < other.rate { other } else { self }
    }
}

/// How long the processors had nothing to do, all together, since the machine began.
fn idle() -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap();
    let fields = text.lines().next().unwrap().split_whitespace();
    let ticks: u64 = fields
        .skip(4)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

fn bytes_written() -> u64 {
    let text = fs::read_to_string("/proc/self/io").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.unwrap().parse().unwrap()
}

fn throughput() {
    let events: Vec<String> = (0..events_at(1_000)).map(load::event).collect();
    let rows = rows(&events);
    let (mut lean, mut prototype, mut http) = ([Run::default(); 4], [Run::default(); 4], [Run::default(); 4]);
    let mut file = Run::default();
    let only = knob("BATCH", 0);
    for _ in 0..rounds() {
        for (index, batch) in BATCHES.into_iter().enumerate() {
            if only != 0 && only != batch {
                continue;
            }
            let count = events_at(batch);
            lean[index] = lean[index].best(lean_run(&rows, count, batch));
            prototype[index] = prototype[index].best(prototype_run(&rows, &events[..count], batch));
            http[index] = http[index].best(http_run(&events[..count], batch));
        }
        if only == 0 {
            file = file.best(file_run(&events));
        }
    }
    println!(
        "{} B an event, {CONNECTIONS} connections. For each event: microseconds on a processor of the thread that \
         writes and of all but the senders, bytes written; behind it the lean pipeline, which writes ready rows, and the\n\
         ratios of the rates and of the processor time of the threads that write; then the prototype, which parses\n\
         and runs the same scripts on a bare engine too, and the ratio of the rates.",
        events[0].len()
    );
    for (index, batch) in BATCHES.into_iter().enumerate() {
        print(
            &format!("HTTP in, {batch} a request"),
            http[index],
            batch,
            (lean[index], prototype[index]),
        );
    }
    for (index, batch) in BATCHES.into_iter().enumerate().skip(2) {
        print("file in", file, batch, (lean[index], prototype[index]));
    }
}

fn print(what: &str, ours: Run, batch: usize, (lean, prototype): (Run, Run)) {
    let aim = if 100 <= batch { " (aim 0.8)" } else { "" };
    println!(
        "{what:<26} {:>6.0}/s {:>5.1} {:>5.1} us {:>5.0} B   lean, {batch:>4} a commit {:>6.0}/s {:>5.1} us {:>5.0} B   \
         ratio {:.2} {:.2}{aim}   prototype {:>6.0}/s ratio {:.2}",
        ours.rate,
        ours.writer,
        ours.all,
        ours.bytes,
        lean.rate,
        lean.writer,
        lean.bytes,
        ours.rate / lean.rate,
        lean.writer / ours.writer,
        prototype.rate,
        ours.rate / prototype.rate,
    );
}

/// The rows that the appliance writes for these events.
fn rows(events: &[String]) -> Rows {
    let folder = Folder::new();
    served::catch(&folder, events);
    let queue = Rows::queue(&folder.database());
    assert_eq!(queue.len(), events.len());
    let served = Served::start(&folder);
    served.until_decided(events.len());
    served.stop();
    Rows::read(&folder.database(), queue)
}

fn lean_run(rows: &Rows, count: usize, batch: usize) -> Run {
    let folder = Folder::new();
    Run::of(count, || {
        rows.write(&folder.database(), count, batch, |_ready| ())
    })
}

fn prototype_run(rows: &Rows, events: &[String], batch: usize) -> Run {
    let folder = Folder::new();
    Run::of(events.len(), || {
        prototype::run(rows, &folder.database(), events, batch)
    })
}

fn requests(events: &[String], batch: usize) -> Vec<Vec<u8>> {
    events.chunks(batch).map(load::request).collect()
}

fn http_run(events: &[String], batch: usize) -> Run {
    let folder = Folder::new();
    let served = Served::start(&folder);
    served.add_manager(None);
    let run = sent(&served, &requests(events, batch), 0, events.len());
    served.stop();
    run
}

/// Sends requests and waits until their events, which come after `before` others, are decided.
fn sent(served: &Served, requests: &[Vec<u8>], before: usize, events: usize) -> Run {
    Run::of(events, || {
        let begin = Instant::now();
        served.send(requests, CONNECTIONS);
        served.until_decided(before + events);
        begin.elapsed()
    })
}

fn file_run(events: &[String]) -> Run {
    let folder = Folder::new();
    let file = folder.file(events);
    // Else the bytes of the file itself would be counted when they reach the disk.
    fs::File::open(&file).unwrap().sync_all().unwrap();
    let served = Served::start(&folder);
    let run = Run::of(events.len(), || {
        let begin = Instant::now();
        served.add_manager(Some(&file));
        served.until_decided(events.len());
        begin.elapsed()
    });
    served.stop();
    run
}

fn latency() {
    println!("\nLatency in ms, from when a request is due to be sent");
    lonely();
    let seconds = knob("SECONDS", 10);
    let folder = Folder::new();
    let served = Served::start(&folder);
    served.add_manager(None);
    let count = RATE * seconds;
    let requests: Vec<Vec<u8>> = (0..count)
        .map(|number| load::request(&[load::event(number)]))
        .collect();
    let watcher = served.watch(&folder, count);
    let address = served.address();
    let begin = Instant::now() + Duration::from_millis(100);
    let due = |number: usize| begin + Duration::from_secs(1) * u32::try_from(number).unwrap() / RATE as u32;
    let mut acknowledged: Vec<Duration> = thread::scope(|scope| {
        let (requests, due) = (&requests, &due);
        let callers: Vec<_> = (0..LATE_CONNECTIONS)
            .map(|first| {
                scope.spawn(move || {
                    let mut caller = Caller::connect(address);
                    let mine = (first..count).step_by(LATE_CONNECTIONS);
                    let post = |number| {
                        wait_until(due(number));
                        caller.post(&requests[number]);
                        due(number).elapsed()
                    };
                    mine.map(post).collect::<Vec<_>>()
                })
            })
            .collect();
        callers
            .into_iter()
            .flat_map(|caller| caller.join().unwrap())
            .collect()
    });
    let seen = watcher.join().unwrap();
    let mut queued: Vec<Duration> = seen.iter().map(|(number, at)| *at - due(*number)).collect();
    let what = format!("at {RATE} events/s for {seconds} s");
    percentiles(&format!("{what}: acknowledged"), &mut acknowledged, "");
    percentiles(&format!("{what}: targets queued"), &mut queued, "(aim p99 25)");
    served.stop();
}

/// One event at a time, each in quiet.
fn lonely() {
    const EVENTS: usize = 500;
    let folder = Folder::new();
    let served = Served::start(&folder);
    served.add_manager(None);
    let watcher = served.watch(&folder, EVENTS);
    let mut caller = Caller::connect(served.address());
    let (mut sent, mut acknowledged) = (Vec::new(), Vec::new());
    for number in 0..EVENTS {
        let request = load::request(&[load::event(number)]);
        wait_until(Instant::now() + Duration::from_millis(4));
        sent.push(Instant::now());
        caller.post(&request);
        acknowledged.push(sent[number].elapsed());
    }
    let seen = watcher.join().unwrap();
    let mut queued: Vec<Duration> = seen.iter().map(|(number, at)| *at - sent[*number]).collect();
    percentiles("a lonely event: acknowledged", &mut acknowledged, "(aim p50 0.5)");
    percentiles("a lonely event: targets queued", &mut queued, "(aim p50 1)");
    served.stop();
}

fn percentiles(what: &str, times: &mut [Duration], aim: &str) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{what:<46} p50 {:>6.2}  p90 {:>6.2}  p99 {:>6.2}  max {:>6.2}  {aim}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
}

fn wait_until(time: Instant) {
    while let Some(rest) = time
        .checked_duration_since(Instant::now())
        .filter(|rest| !rest.is_zero())
    {
        thread::park_timeout(rest);
    }
}

/// Whether a database with many events takes more of them as quickly as an empty one.
fn stored() {
    let stored = knob("STORED", 200_000);
    let events: Vec<String> = (0..knob("EVENTS", 40_000)).map(load::event).collect();
    let rows = rows(&events);
    let folder = Folder::new();
    let vmdb = folder.vmdb();
    vmdb.ems_add(served::manager(None)).wait().unwrap();
    vmdb.close();
    let begin = Instant::now();
    rows.store(&folder.database(), stored);
    let bytes = fs::metadata(folder.database()).unwrap().len();
    println!(
        "\nStored {stored} events, {:.1} GB, in {:.0?}",
        bytes as f64 / 1e9,
        begin.elapsed()
    );
    let begin = Instant::now();
    let served = Served::start(&folder);
    println!("{:<46} {:.2?}", "start with them", begin.elapsed());
    let (mut full, mut empty) = (Run::default(), Run::default());
    for round in 0..rounds() {
        // Objects of their own in each round, since equal events within a minute are a flood.
        let numbers = (0..events.len()).map(|number| number + round * events.len());
        let events: Vec<String> = numbers.map(load::event).collect();
        empty = empty.best(http_run(&events, 100));
        let before = stored + round * events.len();
        full = full.best(sent(&served, &requests(&events, 100), before, events.len()));
    }
    served.stop();
    println!(
        "{:<46} {:>7.0}/s {:>6.0} B   empty {:>7.0}/s {:>6.0} B   ratio {:.2} (aim 0.8)",
        "HTTP in, 100 a request, with them",
        full.rate,
        full.bytes,
        empty.rate,
        empty.bytes,
        full.rate / empty.rate
    );
}
