//! The length of what a text within a JSON text holds before its end, an escape or a fault, eight bytes at a time.

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// How many bytes come before a quote, a backslash or a control character.
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    let mut rest = bytes;
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        let special = special(u64::from_le_bytes(*chunk));
        if special != 0 {
            return length + usize::try_from(special.trailing_zeros() / 8).unwrap_or_default();
        }
        length += 8;
        rest = behind;
    }
    length
        + rest
            .iter()
            .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20))
            .count()
}

/// The highest bit of each byte that is special; of those above the first one it may be set without need.
fn special(word: u64) -> u64 {
    let is_zero = |word: u64| word.wrapping_sub(EACH) & !word;
    let is_control = word.wrapping_sub(EACH * 0x20) & !word;
    (is_control | is_zero(word ^ (EACH * u64::from(b'"'))) | is_zero(word ^ (EACH * u64::from(b'\\')))) & HIGH
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_as_long_as_byte_for_byte(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let one_by_one = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
            prop_assert_eq!(plain_length(&bytes), one_by_one.unwrap_or(bytes.len()));
        }
    }
}
