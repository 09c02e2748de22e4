//! Dot segments in a path, however they are spelled: with one a request leaves the place that it was meant for.
//!
//! Ids of a cloud become parts of paths. RFC 3986 (5.2.4) takes `.` and `..` out of a path, browsers (WHATWG URL) take
//! `%2e` for `.`, and servers and what stands in front of them decode more than that, some of it twice.

/// So often a path is decoded before it counts as a disguise.
const ROUNDS: usize = 8;

/// The first segment of a path that some server may take for `.` or `..`, as it is written.
pub(crate) fn dot_segment(path: &str) -> Option<&str> {
    path.split('/').find(|segment| is_dots(segment))
}

fn is_dots(segment: &str) -> bool {
    if !segment.contains(['.', '%']) && segment.is_ascii() {
        return false;
    }
    let mut bytes = segment.as_bytes().to_vec();
    for _round in 0..ROUNDS {
        let plain = look_alikes(&bytes);
        if plain
            .split(|byte| matches!(byte, b'/' | b'\\'))
            .any(is_dots_alone)
        {
            return true;
        }
        let decoded = decoded(&bytes);
        if decoded == bytes {
            return false;
        }
        bytes = decoded;
    }
    // Nobody encodes an id so often.
    true
}

/// Whether that is `.` or `..`; Tomcat passes over what follows a semicolon, C over what follows a NUL, Windows over
/// spaces.
fn is_dots_alone(piece: &[u8]) -> bool {
    let name = piece.split(|byte| matches!(byte, b';' | 0)).next();
    matches!(name.unwrap_or_default().trim_ascii(), b"." | b"..")
}

/// Percent-decoded once, `%u002e` of old IIS included.
fn decoded(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, more @ ..] = rest {
        let (digits, is_wide) = match more {
            [b'u' | b'U', digits @ ..] => (digits.get(..4), true),
            digits => (digits.get(..2), false),
        };
        let digits = digits.filter(|_| *first == b'%');
        let code = digits.and_then(|digits| u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        match code.map(|code| (u8::try_from(code), char::from_u32(code))) {
            Some((_, Some(wide))) if is_wide => {
                decoded.extend(wide.encode_utf8(&mut [0; 4]).bytes());
                rest = rest.get(6..).unwrap_or_default();
            }
            Some((Ok(byte), _)) if !is_wide => {
                decoded.push(byte);
                rest = rest.get(3..).unwrap_or_default();
            }
            _no_escape => {
                decoded.push(*first);
                rest = more;
            }
        }
    }
    decoded
}

/// Dots and slashes in place of what is taken for them: UTF-8 that is longer than need be, and characters that
/// Unicode's compatibility forms (NFKC) make into them.
fn look_alikes(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, more @ ..] = rest {
        let (alike, length): (&[u8], usize) = match rest {
            // ．, ․ and ﹒
            [0xef, 0xbc, 0x8e, ..] | [0xe2, 0x80, 0xa4, ..] | [0xef, 0xb9, 0x92, ..] => (b".", 3),
            // ‥
            [0xe2, 0x80, 0xa5, ..] => (b"..", 3),
            // ／, ＼ and ﹨
            [0xef, 0xbc, 0x8f, ..] | [0xef, 0xbc, 0xbc, ..] | [0xef, 0xb9, 0xa8, ..] => (b"/", 3),
            [0xc0, 0xae, ..] => (b".", 2),
            [0xc0, 0xaf, ..] | [0xc1, 0x9c, ..] => (b"/", 2),
            [0xe0, 0x80, 0xae, ..] => (b".", 3),
            [0xe0, 0x80, 0xaf, ..] | [0xe0, 0x81, 0x9c, ..] => (b"/", 3),
            [0xf0, 0x80, 0x80, 0xae, ..] => (b".", 4),
            [0xf0, 0x80, 0x80, 0xaf, ..] | [0xf0, 0x80, 0x81, 0x9c, ..] => (b"/", 4),
            _itself => {
                plain.push(*first);
                rest = more;
                continue;
            }
        };
        plain.extend(alike);
        rest = rest.get(length..).unwrap_or_default();
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_dot_segment_is_found_in_every_spelling() {
        for segment in [
            ".",
            "..",
            "%2e%2e",
            "%2E.",
            ".%2e",
            "%252e%252e",
            "%25252e.",
            "..%2fadmin",
            "..%5Cadmin",
            "x%2f..%2fadmin",
            "..\\admin",
            "..;",
            "..;v=1",
            "%2e%2e%3bv",
            "..%00",
            "..%20",
            "%u002e%u002e",
            "%c0%ae%c0%ae",
            "%e0%80%ae.",
            "．．",
            "%ef%bc%8e%ef%bc%8e",
            "‥",
            "..／admin",
        ] {
            let path = format!("/vms/{segment}/disks");
            assert_eq!(dot_segment(&path), Some(segment), "{path}");
        }
    }

    #[test]
    fn names_with_dots_are_no_dot_segments() {
        for path in [
            "/events",
            "/",
            "//host/x",
            "/vms/i-1.eu-west-1",
            "/vms/...",
            "/vms/..a",
            "/vms/a..",
            "/v1.2/.well-known/x",
            "/vms/%2ehidden",
            "/vms/50%25",
            "/vms/100%",
            "/vms/%zz",
            "/vms/Büro-Gruppe",
            "/vms/a;b",
        ] {
            assert_eq!(dot_segment(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn what_a_server_takes_for_dots_is_found(
            before in "[a-z0-9]{0,4}",
            dots in prop::collection::vec(prop::sample::select(vec![".", "%2e", "%2E", "%252e"]), 1..=2),
            after in "[a-z]{0,4}",
        ) {
            let segment = dots.concat();
            let path = format!("/{before}/{segment}/{after}");
            prop_assert!(dot_segment(&path).is_some());
            let path = format!("/{after}x{segment}");
            prop_assert_eq!(dot_segment(&path), None);
        }

        #[test]
        fn no_path_breaks_it(path in ".{0,40}") {
            let _found = dot_segment(&path);
        }
    }
}
