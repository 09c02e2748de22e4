//! A text out of bytes of which some are no UTF-8: each of those stands in it as a character that nobody uses, so that
//! the rest can be read, and gives itself back as the byte that it was.

/// Stand-ins are the last 256 characters of the last private plane of Unicode.
const FIRST: u32 = 0x10_FF00;

/// A text, and whether some of its characters stand for bytes that are no UTF-8. None where it could not be told which
/// do, because others of these characters are there.
pub fn text_of(bytes: Vec<u8>) -> Option<(String, bool)> {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return Some((text, false)),
        Err(error) => error.into_bytes(),
    };
    let mut text = String::with_capacity(bytes.len() * 2);
    for chunk in bytes.utf8_chunks() {
        if has_stand_ins(chunk.valid()) {
            return None;
        }
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| stand_in(*byte)));
    }
    Some((text, true))
}

/// Whether a text has characters that stand for bytes.
pub fn has_stand_ins(text: &str) -> bool {
    text.contains(|c| byte_of(c).is_some())
}

/// The bytes that a text was made of.
pub fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match byte_of(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    bytes
}

fn stand_in(byte: u8) -> Option<char> {
    char::from_u32(FIRST + u32::from(byte))
}

fn byte_of(c: char) -> Option<u8> {
    u8::try_from(u32::from(c).checked_sub(FIRST)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_byte_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some((text, is_odd)) = text_of(bytes.clone()) {
                prop_assert_eq!(is_odd, str::from_utf8(&bytes).is_err());
                prop_assert!(!is_odd || has_stand_ins(&text));
                prop_assert_eq!(bytes_of(&text), bytes);
            }
        }
    }

    #[test]
    fn what_could_be_taken_for_a_stand_in_is_refused_where_there_are_others() {
        let own = "x\u{10FF80}";
        assert_eq!(text_of(own.into()), Some((own.to_owned(), false)));
        assert_eq!(text_of([own.as_bytes(), b"\xff"].concat()), None);
        let (text, is_odd) = text_of(b"a\xffb".to_vec()).unwrap();
        assert!(is_odd && text.starts_with('a') && text.ends_with('b'), "{text:?}");
    }
}
