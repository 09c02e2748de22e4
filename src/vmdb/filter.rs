//! A Bloom filter that grows: says of nearly every digest that is not there that it is not.

/// With sixteen bits and eight probes to a digest, one in two thousand that are not there seems to be.
const BITS: usize = 16;
const PROBES: u64 = 8;
const FIRST_LAYER: usize = 1 << 17;

/// Digests that may be there. Each layer holds twice as many as the one before.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    words: Vec<u64>,
    room: usize,
}

impl Filter {
    pub(crate) fn insert(&mut self, digest: u64) {
        if self.layers.last().is_none_or(|layer| layer.room == 0) {
            let room = FIRST_LAYER << self.layers.len();
            let words = vec![0; room * BITS / 64];
            self.layers.push(Layer { words, room });
        }
        let Some(layer) = self.layers.last_mut() else {
            return;
        };
        layer.room -= 1;
        let length = layer.words.len();
        for (word, bit) in probes(digest, length) {
            if let Some(word) = layer.words.get_mut(word) {
                *word |= bit;
            }
        }
    }

    /// False means that it is not there.
    pub(crate) fn may_contain(&self, digest: u64) -> bool {
        self.layers.iter().any(|layer| {
            probes(digest, layer.words.len())
                .all(|(word, bit)| layer.words.get(word).is_some_and(|word| word & bit != 0))
        })
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

    #[test]
    fn what_is_there_is_found_and_hardly_anything_else() {
        let spread = |number: u64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (number << 17);
        let spread = |number: u64| spread(spread(number).rotate_left(29));
        let mut filter = Filter::default();
        (0..300_000).for_each(|number| filter.insert(spread(number)));
        assert!((0..300_000).all(|number| filter.may_contain(spread(number))));
        let wrong = (300_000..400_000)
            .filter(|number| filter.may_contain(spread(*number)))
            .count();
        assert!(wrong < 300, "{wrong} of 100,000");
    }
}
