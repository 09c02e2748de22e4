//! Measures work beside its floor, in turns, and prints both with their ratio. Knows nothing of what is measured.
//!
//! The machines that benches run on are shared and their clocks drift: only ratios of one run can be compared.

use std::hint::black_box;
use std::time::Duration;
use std::time::Instant;

/// How long one turn takes, about: short, so that some turns are not interrupted.
const TURN: Duration = Duration::from_millis(2);
/// How many turns each gets.
const TURNS: usize = 60;

/// The best time of one call of each, in nanoseconds; they take turns.
pub(crate) fn in_turns<const N: usize>(mut works: [&mut dyn FnMut(); N]) -> [f64; N] {
    let calls = works.each_mut().map(|work| calls_in_a_turn(*work));
    let mut best = [f64::INFINITY; N];
    for _ in 0..TURNS {
        for ((work, calls), best) in works.iter_mut().zip(calls).zip(&mut best) {
            *best = best.min(time(*work, calls));
        }
    }
    best
}

/// How long `work` takes once, and what it gives; for what takes long enough to be seen.
pub(crate) fn once<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = black_box(work());
    (start.elapsed(), result)
}

/// The best of a few times of `work`.
pub(crate) fn best_of<T>(times: usize, mut work: impl FnMut() -> T) -> Duration {
    let all = (0..times).map(|_| once(&mut work).0);
    all.min().unwrap_or_default()
}

/// How often one call of `work` allocates.
pub(crate) fn allocations(mut work: impl FnMut()) -> u64 {
    work();
    allocation_counter::measure(work).count_total
}

/// Bytes that are kept by what `work` gives.
pub(crate) fn kept_bytes<T>(work: impl FnOnce() -> T) -> (i64, T) {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(work()));
    (info.bytes_current, result.unwrap())
}

/// One line: what, how long, its floor, and how many times the floor it is.
pub(crate) fn print(what: &str, nanos: f64, floor: &str, floor_nanos: f64) {
    let ratio = nanos / floor_nanos;
    println!(
        "{what:<44} {:>9.2} us   {floor:<34} {:>9.2} us   ratio {ratio:.2}",
        nanos / 1e3,
        floor_nanos / 1e3
    );
}

/// One line: what, a figure, and what it should be at most.
pub(crate) fn print_figure(what: &str, figure: f64, unit: &str, aim: &str) {
    println!("{what:<44} {figure:>9.1} {unit:<8} {aim}");
}

fn calls_in_a_turn(work: &mut dyn FnMut()) -> u32 {
    let mut calls = 1;
    while calls < 1 << 20 {
        let nanos = time(work, calls) * f64::from(calls);
        if nanos > TURN.as_nanos() as f64 {
            break;
        }
        calls *= 2;
    }
    calls
}

fn time(work: &mut dyn FnMut(), calls: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        work();
    }
    start.elapsed().as_nanos() as f64 / f64::from(calls)
}
