//! A settings text in which no secret can be read, for findings that show the line they are about.

use crate::settings::secret::is_reference;

/// What stands in place of a secret.
pub(crate) const MASK: &str = "********";
/// Keys whose value is a secret, and keys below which everything is one.
const KEYS: [&str; 5] = ["token", "password", "webhook_secrets", "secrets", "environment"];

/// The same text, line by line, with whatever may be a secret masked. It may be a text that cannot be read as YAML, so
/// everything behind such a key is masked, and everything that is indented further below it.
pub(crate) fn masked(text: &str) -> String {
    let mut above: Option<usize> = None;
    let lines = text.lines().map(|line| {
        let rest = line.trim_start_matches([' ', '\t', '-']);
        let (start, rest) = line.split_at(line.len() - rest.len());
        if rest.is_empty() {
            return line.to_owned();
        }
        if above.is_some_and(|above| above < start.len()) {
            // Of an item of a list nothing is a key.
            let key = rest.split_once(": ").filter(|_| !start.contains('-'));
            let is_key = rest.ends_with(':') && !start.contains('-');
            return match key {
                Some((key, value)) => format!("{start}{key}: {}", masked_value(value)),
                None if is_key => line.to_owned(),
                None => format!("{start}{}", masked_value(rest)),
            };
        }
        let behind = KEYS.iter().filter_map(|key| behind(rest, key)).min();
        above = behind.map(|_| start.len());
        let (key, value) = rest.split_at(behind.unwrap_or(rest.len()));
        match value.trim() {
            "" => line.to_owned(),
            value => format!("{start}{key} {}", masked_value(value)),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a line, from 1, has something that is masked.
pub(crate) fn is_masked(text: &str, line: u32) -> bool {
    let at = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
    text.lines().nth(at) != masked(text).lines().nth(at)
}

/// A message with nothing in its backticks.
pub(crate) fn unquoted(message: &str) -> String {
    let parts = message.split('`').enumerate();
    let parts = parts.map(|(index, part)| if index % 2 == 1 { MASK } else { part });
    parts.collect::<Vec<_>>().join("`")
}

/// Where the value of a key begins in a line.
fn behind(line: &str, key: &str) -> Option<usize> {
    line.match_indices(key).find_map(|(at, _)| {
        let before = line.get(..at)?.chars().next_back();
        let rest = line.get(at + key.len()..)?.trim_start_matches(['"', '\'', ' ']);
        let is_key = before.is_none_or(|c| !c.is_alphanumeric() && c != '_') && rest.starts_with(':');
        is_key.then(|| line.len() - rest.len() + 1)
    })
}

/// A value without its secret.
fn masked_value(value: &str) -> &str {
    if is_reference(value) && !value.contains([' ', ',']) {
        return value;
    }
    MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_shows_a_secret() {
        let text = "\
:web:
  :token: hush
  :listen: 127.0.0.1:1
  'token' : #hush
  :webhook_secrets:
    my_cloud:
    - hush
    - env:SECRET
    - a: hush
    - hush:
    other: [hush, env:X]
  :max_event_bytes: 1 MiB
web: {listen: x, token: hush, more: y}
:outbox:
  secrets: {chat: hush}
  commands:
    page: {path: /bin/page, environment: {KEY: hush}}
  email:
    :password: >-
      hush
      hush
    :relay: mail:25
\ttoken: hush
";
        let masked = masked(text);
        assert!(!masked.contains("hush"), "{masked}");
        assert_eq!(masked.lines().count(), text.lines().count());
        for shown in [
            "  :listen: 127.0.0.1:1",
            "    - env:SECRET",
            "    my_cloud:",
            "  :max_event_bytes: 1 MiB",
            "    :relay: mail:25",
        ] {
            assert!(masked.lines().any(|line| line == shown), "{shown}\n{masked}");
        }
    }
}
