//! Settings of every broken form: whatever is done to a good file, what is loaded from it means what is written in it,
//! or it is refused with a place. No guard goes away unseen, and nothing is kept for less long.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use regex::Regex;
use switchboard::settings::Environment;
use switchboard::settings::Settings;
use switchboard::settings::SettingsError;
use switchboard::settings::SettingsPath;
use switchboard::settings::effective_text;
use switchboard::source::Severity;

/// A good file, with guards of every kind.
const GOOD: &str = "\
# The settings of this site.
---
:web:
  :token: s3cret-token
  :listen: 127.0.0.1:4000
  :max_event_bytes: 64 KiB
  :webhook_secrets:
    signed: [hush-hush, 'hush # more']
    :other:
    - file:/dev/null/nothing
:event_streams:
  :history:
    :keep_events: 10.years
    :keep_rows: 1_000_000
:ems:
  :ems_amazon:
    :blacklisted_event_names:
    - Heartbeat
    - /^Debug/
:workers:
  :worker_base:
    :event_catcher:
      :defaults:
        :poll: 5.seconds
:outbox: {allowed_origins: ['http://10.0.0.7:9000'], threads: 4}
";
/// Where a comment begins behind a value.
static COMMENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[ \t]#([ \t#]|$)").unwrap());
const YEAR: f64 = 31_556_952.0;

/// Scalars of every form, and what is none.
const VALUES: [&str; 44] = [
    "",
    "~",
    "null",
    "true",
    "no",
    "1",
    "0",
    "-1",
    "+12",
    "017",
    "0x1F",
    "0o17",
    "1e10",
    "1.10",
    "1_000",
    "__",
    ".inf",
    "100000",
    "99999999999999999999",
    "99999999.years",
    "10.yaers",
    "''",
    "'  '",
    "\"a b\"",
    "'#x'",
    "#x",
    "# x",
    "x #y",
    "!x y",
    "!!str 1",
    "&a b",
    "*a",
    "[a]",
    "[]",
    "{a: b}",
    "{}",
    "- a",
    "|",
    ">-",
    "@a",
    "%a",
    "env:NOT_SET",
    "${TOKEN}",
    "2026-01-01",
];

/// Something that happens to a file.
#[derive(Clone, Debug)]
enum Harm {
    /// The rest is gone.
    Cut(Index),
    /// A text stands where none was.
    Put(Index, &'static str),
    /// A byte is another one, perhaps no text any more.
    Byte(Index, u8),
    /// A character is gone.
    Drop(Index),
    /// A line is there twice, the second one with another indent.
    Twice(Index, usize),
    /// A line is gone.
    DropLine(Index),
    /// The value of a key is another one.
    Value(Index, &'static str),
}

fn harm() -> impl Strategy<Value = Harm> {
    let at = any::<Index>;
    let put = prop::sample::select(vec![
        "\t", " ", "  ", "\n", "\r", ":", "#", " #", "# ", "'", "\"", "[", "]", "{", "}", "!", "&", "*", "|",
        ">", "-", "- ", "? ", "%", "@", "<<: ", "---\n", "...\n", "\u{feff}", "\0", "\u{85}", "\u{2028}",
        "x", "_",
    ]);
    prop_oneof![
        1 => at().prop_map(Harm::Cut),
        6 => (at(), put).prop_map(|(at, text)| Harm::Put(at, text)),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Harm::Byte(at, byte)),
        3 => at().prop_map(Harm::Drop),
        2 => (at(), 0..6_usize).prop_map(|(at, indent)| Harm::Twice(at, indent)),
        1 => at().prop_map(Harm::DropLine),
        4 => (at(), prop::sample::select(VALUES.to_vec())).prop_map(|(at, value)| Harm::Value(at, value)),
    ]
}

fn harmed(text: &[u8], harm: &Harm) -> Vec<u8> {
    let mut bytes = text.to_vec();
    if bytes.is_empty() {
        return bytes;
    }
    let lines = || -> Vec<&[u8]> { text.split_inclusive(|byte| *byte == b'\n').collect() };
    match harm {
        Harm::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Harm::Put(at, put) => drop(bytes.splice(at.index(bytes.len())..at.index(text.len()), put.bytes())),
        Harm::Byte(at, byte) => *bytes.get_mut(at.index(text.len())).unwrap() = *byte,
        Harm::Drop(at) => drop(bytes.remove(at.index(text.len()))),
        Harm::Twice(at, indent) => {
            let mut lines = lines();
            let (at, line) = (at.index(lines.len()), lines[at.index(lines.len())]);
            let again = [&b"     "[..*indent.min(&5)], line.trim_ascii_start()].concat();
            lines.insert(at + 1, &again);
            bytes = lines.concat();
        }
        Harm::DropLine(at) => {
            let mut lines = lines();
            lines.remove(at.index(lines.len()));
            bytes = lines.concat();
        }
        Harm::Value(at, value) => {
            let mut lines: Vec<Vec<u8>> = lines().into_iter().map(<[u8]>::to_vec).collect();
            let at = at.index(lines.len());
            let text = String::from_utf8_lossy(&lines[at]).into_owned();
            if let Some((key, _)) = text.split_once(": ") {
                lines[at] = format!("{key}: {value}\n").into_bytes();
            }
            bytes = lines.concat();
        }
    }
    bytes
}

/// The lines that are no comments.
fn written(text: &str) -> impl Iterator<Item = &str> {
    let breaks = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
    text.split(breaks)
        .filter(|line| !line.trim_start_matches([' ', '\t', '\u{feff}']).starts_with('#'))
}

/// Whether a text stands in another one, perhaps over several lines.
fn stands_in(written: &str, text: &str) -> bool {
    let in_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.contains(written) || in_one_line(text).contains(&in_one_line(written))
}

/// What is written behind a key, without quotes and comments, line by line.
fn values_of(text: &str, key: &str) -> Vec<String> {
    let blank = [' ', '\t'];
    let value_in = |line: &str| {
        let (before, rest) = line.split_once(key)?;
        let rest = rest.trim_start_matches(blank).strip_prefix(':')?;
        if !["", ":"].contains(&before.trim_start_matches(blank)) {
            return None;
        }
        if !rest.is_empty() && !rest.starts_with(blank) {
            return None;
        }
        let value = format!(" {}", rest.trim_start_matches(blank));
        let value = COMMENT.split(&value).next()?.trim_matches(blank);
        Some(
            value
                .trim_matches(['\'', '"'])
                .trim_start_matches("!!str ")
                .to_owned(),
        )
    };
    written(text).filter_map(value_in).collect()
}

/// Whether a text is what a key without a value has.
fn is_nothing(value: &str) -> bool {
    ["", "~", "null", "Null", "NULL"].contains(&value) || value.starts_with("##")
}

/// What a duration of years or seconds is.
fn duration(written: &str) -> Option<Duration> {
    let written = written.replace('_', "");
    let digits = written.trim_end_matches(|c: char| !c.is_ascii_digit());
    let second = match written.strip_prefix(digits)?.trim_start_matches(['.', ' ']) {
        "years" | "year" => YEAR,
        "" | "s" => 1.0,
        _other => return None,
    };
    Duration::try_from_secs_f64(digits.parse::<f64>().ok()? * second).ok()
}

/// Whether what is loaded means what is written, as far as its guards go.
fn assert_means_what_is_written(text: &str, settings: &Settings) {
    let web = &settings.web;
    match &web.token {
        Some(token) => assert!(stands_in(token.reveal(), text), "{text}\n{}", token.reveal()),
        None => assert!(
            values_of(text, "token").iter().all(|value| is_nothing(value)),
            "the token is gone: {text}"
        ),
    }
    for (name, secret) in [("signed", "hush"), ("other", "file:")] {
        let is_written = !values_of(text, name).is_empty() && written(text).any(|line| line.contains(secret));
        assert!(
            web.webhook_secrets.contains_key(name) || !is_written,
            "{name} is open: {text}"
        );
    }
    for secret in web.webhook_secrets.values().flatten() {
        assert!(stands_in(secret.reveal(), text), "{text}\n{}", secret.reveal());
    }
    let keep = settings.history.keep_events;
    let values = values_of(text, "keep_events");
    let is_kept = |value: &String| duration(value) == Some(keep);
    let is_default = |value: &String| is_nothing(value) || duration(value) == Some(Duration::ZERO);
    if keep == Settings::default().history.keep_events {
        assert!(
            values.is_empty() || values.iter().any(is_default),
            "the default is kept: {text}"
        );
    } else {
        assert!(values.iter().any(is_kept), "{keep:?}: {text}");
    }
    let is_named = written(text).any(|line| matches!(line, "  :ems_amazon:" | "  ems_amazon:"));
    let is_listed = written(text).any(|line| matches!(line, "    - Heartbeat" | "    - Heartbeat "));
    if is_named && is_listed && !values_of(text, "blacklisted_event_names").is_empty() {
        assert!(
            settings.blacklist("amazon").matched("Heartbeat").is_some(),
            "the filter is gone: {text}"
        );
    }
    let is_listened = |value: &String| value.parse() == Ok(web.listen);
    let listens = values_of(text, "listen");
    assert!(
        listens.iter().any(is_listened)
            || (web.listen == Settings::default().web.listen
                && listens.iter().all(|value| is_nothing(value))),
        "{}: {text}",
        web.listen
    );
    assert!((1..=256).contains(&settings.outbox.threads), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_harmed_file_means_what_is_written_or_is_refused_at_its_place(harms in prop::collection::vec(harm(), 1..4)) {
        let bytes = harms.iter().fold(GOOD.as_bytes().to_vec(), |bytes, harm| harmed(&bytes, harm));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &bytes).unwrap();
        let path = SettingsPath::named(file.path());
        match Settings::load(&path, &Environment::default()) {
            Ok((settings, _findings)) => {
                let text = String::from_utf8(bytes).unwrap();
                assert_means_what_is_written(&text, &settings);
            }
            Err(SettingsError(findings)) => {
                let mut errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
                let error = errors.next().unwrap();
                let lines = String::from_utf8_lossy(&bytes).lines().count() + 1;
                prop_assert!(1 <= error.line && error.line as usize <= lines.max(1), "{error}");
                prop_assert!(findings.iter().all(|finding| !finding.to_string().contains("s3cret-token")), "{findings:?}");
            }
        }
    }
}

/// Every single value of the defaults, by the keys down to it.
fn settings_of_one_value() -> Vec<Vec<String>> {
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut all = Vec::new();
    let lines: Vec<&str> = Settings::default_text().lines().collect();
    for line in lines {
        let name = line.trim_start();
        let Some((key, value)) = name.strip_prefix(':').and_then(|name| name.split_once(':')) else {
            continue;
        };
        let indent = line.len() - name.len();
        above.retain(|(other, _)| *other < indent);
        above.push((indent, key.to_owned()));
        if !value.is_empty() && !value.contains(['[', '{']) {
            all.push(above.iter().map(|(_, key)| key.clone()).collect());
        }
    }
    all
}

#[test]
fn every_value_of_every_setting_is_in_force_as_it_is_written_or_refused() {
    let settings = settings_of_one_value();
    assert!(50 < settings.len(), "{settings:?}");
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = SettingsPath::named(file.path());
    for keys in settings {
        for value in VALUES {
            let mut text = String::new();
            for (depth, key) in keys.iter().enumerate() {
                text.push_str(&format!("{}{key}:\n", "  ".repeat(depth)));
            }
            let text = format!("{} {value}\n", text.trim_end());
            fs::write(file.path(), &text).unwrap();
            let Ok((_, findings)) = Settings::load(&path, &Environment::default()) else {
                continue;
            };
            let effective = effective_text(&path, &Environment::default()).unwrap();
            let mut lines = effective.lines();
            for (depth, key) in keys.iter().enumerate() {
                let start = format!("{}{key}:", "  ".repeat(depth));
                let line = lines.by_ref().find(|line| line.starts_with(&start));
                let line = line.unwrap();
                if depth + 1 == keys.len() {
                    let value = value.split(" #").next().unwrap().trim_start_matches("!!str ");
                    let is_nothing = ["", "~", "null", "# x"].contains(&value);
                    let [shown, value] = [line.strip_prefix(&start).unwrap(), value]
                        .map(|value| value.trim().trim_matches(['\'', '"']));
                    let is_masked = shown == "********";
                    assert!(
                        is_nothing || is_masked || shown == value,
                        "{text}{line} {findings:?}"
                    );
                }
            }
        }
    }
}
