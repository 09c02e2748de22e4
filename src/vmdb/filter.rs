//! Bloom filters over runs of digests: they say of nearly every digest that is in none of some runs that it is not.

use std::collections::VecDeque;
use std::ops::Range;

/// With sixteen bits and eight probes to a digest, one in two thousand that are not there seems to be.
const BITS: usize = 16;
const PROBES: u64 = 8;
/// How many runs the first layer holds, and how many any holds at most: a layer goes when its runs are gone, so a
/// large one would stay for long.
const FEWEST_RUNS: usize = 2;
const MOST_RUNS: usize = 64;

/// What may be in which runs. Each layer holds twice as many runs as the one before, up to a bound.
#[derive(Debug)]
pub(crate) struct Filter {
    run_length: usize,
    layers: VecDeque<Layer>,
}

#[derive(Debug)]
struct Layer {
    words: Vec<u64>,
    runs: Range<i64>,
    /// How many runs it has room for.
    room: usize,
}

impl Filter {
    /// Of runs that hold about `run_length` digests each.
    pub(crate) fn new(run_length: usize) -> Self {
        Self {
            run_length,
            layers: VecDeque::new(),
        }
    }

    /// Adds a digest of a run that is not before the last one.
    pub(crate) fn insert(&mut self, run: i64, digest: u64) {
        if self.layers.back().is_none_or(|layer| layer.is_full_for(run)) {
            let room = self.layers.back().map_or(FEWEST_RUNS, |last| last.room * 2);
            self.layers
                .push_back(Layer::new(run, room.min(MOST_RUNS), self.run_length));
        }
        if let Some(layer) = self.layers.back_mut() {
            layer.insert(run, digest);
        }
    }

    /// The runs that the digest may be in, the latest first; it is in no others.
    pub(crate) fn runs_with(&self, digest: u64) -> impl Iterator<Item = i64> {
        let layers = self
            .layers
            .iter()
            .rev()
            .filter(move |layer| layer.may_contain(digest));
        layers.flat_map(|layer| layer.runs.clone().rev())
    }

    /// Forgets the runs before `run`, as soon as all of their layer are.
    pub(crate) fn forget_before(&mut self, run: i64) {
        while self.layers.front().is_some_and(|layer| layer.runs.end <= run) {
            self.layers.pop_front();
        }
    }
}

impl Layer {
    fn new(run: i64, room: usize, run_length: usize) -> Self {
        Self {
            words: vec![0; (room * run_length * BITS).div_ceil(64)],
            runs: run..run,
            room,
        }
    }

    fn is_full_for(&self, run: i64) -> bool {
        self.runs.end <= run && self.room <= self.runs.clone().count()
    }

    fn insert(&mut self, run: i64, digest: u64) {
        self.runs.end = self.runs.end.max(run + 1);
        let length = self.words.len();
        for (word, bit) in probes(digest, length) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= bit;
            }
        }
    }

    fn may_contain(&self, digest: u64) -> bool {
        probes(digest, self.words.len())
            .all(|(word, bit)| self.words.get(word).is_some_and(|word| word & bit != 0))
    }
}

/// The places of a digest, which is evenly spread: word and bit within it.
fn probes(digest: u64, words: usize) -> impl Iterator<Item = (usize, u64)> {
    let step = digest.rotate_left(32) | 1;
    (0..PROBES).map(move |probe| {
        let place = digest.wrapping_add(step.wrapping_mul(probe));
        let word = (u128::from(place) * words as u128) >> 64;
        (usize::try_from(word).unwrap_or(0), 1 << (place & 63))
    })
}

#[cfg(test)]
mod tests {
    use super::Filter;
    use super::MOST_RUNS;

    const RUN: u64 = 1_000;

    fn spread(number: u64) -> u64 {
        let once = |number: u64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (number << 17);
        once(once(number).rotate_left(29))
    }

    fn filled(runs: i64) -> Filter {
        let mut filter = Filter::new(usize::try_from(RUN).unwrap());
        for number in 0..runs.cast_unsigned() * RUN {
            filter.insert((number / RUN).cast_signed(), spread(number));
        }
        filter
    }

    #[test]
    fn what_is_there_is_found_in_its_run_and_hardly_anything_else_is() {
        let filter = filled(300);
        for number in 0..300 * RUN {
            let run = (number / RUN).cast_signed();
            let runs: Vec<i64> = filter.runs_with(spread(number)).collect();
            assert!(runs.contains(&run), "{number}: {runs:?}");
            assert!(
                runs.is_sorted_by(|a, b| b < a),
                "the latest first, none twice: {runs:?}"
            );
        }
        let others = 300 * RUN..400 * RUN;
        let wrong = others.filter(|number| filter.runs_with(spread(*number)).next().is_some());
        // Each of the nine layers takes one in two thousand for its own.
        assert!(wrong.count() < 900);
    }

    #[test]
    fn runs_that_are_gone_hold_no_memory_however_many_there_were() {
        let mut filter = filled(3);
        let mut most = 0;
        for run in 3..2_000 {
            filter.insert(run, spread(run.cast_unsigned()));
            filter.forget_before(run - 100);
            most = most.max(filter.layers.iter().map(|layer| layer.room).sum());
        }
        // Those that are there, and what the first and the last layer hold beside them.
        assert!(most <= 100 + 2 * MOST_RUNS, "{most}");
        assert!(filter.runs_with(spread(1_950)).any(|run| run == 1_950));
        assert!(filter.runs_with(spread(3)).next().is_none());
    }
}
