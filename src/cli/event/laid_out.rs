//! JSON text laid out for people: only the space between its parts changes, so that every digit is as it came.

/// The text with a line for each entry. A text that is no JSON comes out with other space, and nothing else.
pub(crate) fn laid_out(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut parts = json.char_indices();
    while let Some((start, c)) = parts.next() {
        match c {
            '"' => {
                let end = end_of_text(&mut parts).unwrap_or(json.len());
                out.push_str(json.get(start..end).unwrap_or_default());
            }
            '{' | '[' => {
                out.push(c);
                depth += 1;
                let rest = json.get(start + 1..).unwrap_or_default().trim_start();
                if !rest.starts_with(['}', ']']) {
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if !out.ends_with(['{', '[']) {
                    new_line(&mut out, depth);
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => (),
            c => out.push(c),
        }
    }
    out
}

/// Where a text that has begun ends, behind its quote.
fn end_of_text(parts: &mut std::str::CharIndices<'_>) -> Option<usize> {
    while let Some((at, c)) = parts.next() {
        match c {
            '\\' => drop(parts.next()),
            '"' => return Some(at + 1),
            _other => (),
        }
    }
    None
}

/// Deep within, all is told at one depth: what is nested very deep would be mostly space.
fn new_line(out: &mut String, depth: usize) {
    const DEEPEST: usize = 40;
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth.min(DEEPEST)));
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::laid_out;

    #[test]
    fn every_digit_and_every_key_stays() {
        let text = r#"{"id":18446744073709551616,"price":1.10,"a":1,"a":2,"note":"x: [1, \"2\"], {}","none":{ },"list":[ ],"vms":[{"id":"v"},[1,2]]}"#;
        expect![[r#"
            {
              "id": 18446744073709551616,
              "price": 1.10,
              "a": 1,
              "a": 2,
              "note": "x: [1, \"2\"], {}",
              "none": {},
              "list": [],
              "vms": [
                {
                  "id": "v"
                },
                [
                  1,
                  2
                ]
              ]
            }"#]]
        .assert_eq(&laid_out(text));
    }

    proptest! {
        #[test]
        fn nothing_but_space_changes(text in r#"[{}\[\]",:0-9a \\ü]{0,40}"#) {
            let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(bare(&laid_out(&text)), bare(&text));
        }
    }
}
