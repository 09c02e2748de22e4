//! Names that a new file gives and takes: what it is called on any file system, and how YAML keeps a text as it is.

use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use sha2::Digest;
use sha2::Sha256;

use crate::cli::error::CliError;
use crate::model::unseen::is_unseen;

/// What stands in the name of a file as it is: letters, digits and these.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-').remove(b'.');
/// The longest beginning of a name, in bytes: with an extension it fits every file system.
const LONGEST: usize = 180;
/// Names that Windows keeps for devices, whatever follows behind a dot.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];
/// What YAML 1.1 reads as something else than a text.
const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];

/// What the file of a thing of this name is called, without its extension: percent-encoded where a file system, or who
/// reads the folder, would take the name for something else.
pub(crate) fn file_stem(name: &str) -> String {
    // ManageIQ's own custom.
    if name == ".missing" {
        return "_missing".to_owned();
    }
    let mut stem = utf8_percent_encode(name, ENCODED).to_string();
    let is_special = stem.starts_with(['.', '-']) || stem.starts_with("__") || stem == "_missing";
    if is_special || is_device(&stem) {
        let first = stem.remove(0);
        stem.insert_str(0, &format!("%{:02X}", u32::from(first)));
    }
    // `*.test.yaml` is a test, no instance.
    if let Some(start) = stem.strip_suffix(".test") {
        stem = format!("{start}%2Etest");
    }
    if LONGEST < stem.len() {
        let digest = Sha256::digest(name.as_bytes());
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        stem.truncate(LONGEST);
        stem = format!("{stem}-{digest}");
    }
    stem
}

fn is_device(stem: &str) -> bool {
    let base = stem.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_numbered = |device: &&str| {
        let number = base.strip_prefix(*device).unwrap_or_default();
        number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    DEVICES.contains(&base.as_str()) || NUMBERED_DEVICES.iter().any(is_numbered)
}

/// A name that is also the name of a folder or a file, and a part of paths.
///
/// # Errors
/// When it could be taken for something else.
pub(crate) fn plain<'a>(what: &str, name: &'a str) -> Result<&'a str, CliError> {
    let is_plain = !name.is_empty()
        && name.len() <= LONGEST
        && !name.starts_with(['.', '-'])
        && !name.ends_with('.')
        && !name.starts_with("__")
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        && !is_device(name);
    if is_plain {
        return Ok(name);
    }
    Err(CliError::usage(
        format!("`{name}` cannot be the name of {what}"),
        "letters, digits, `_`, `-` and `.` make a name, which begins with a letter, a digit or one `_`",
    ))
}

/// The text as a YAML scalar that means exactly it: plain where nothing in it could mean something else.
pub(crate) fn yaml_text(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_graphic() || c == ' ')
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            unseen if is_unseen(unseen) => quoted.push_str(&escape(unseen)),
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

fn escape(c: char) -> String {
    match u32::from(c) {
        code @ ..=0xff => format!("\\x{code:02X}"),
        code @ ..=0xffff => format!("\\u{code:04X}"),
        code => format!("\\U{code:08X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;
    use serde_json::Value;

    use crate::source::yaml::Node;

    #[test]
    fn files_are_named_so_that_they_are_found_and_mean_nothing_else() {
        for (name, expected) in [
            ("com.awesomecloud.vm.suspend", "com.awesomecloud.vm.suspend"),
            ("AWS_API_CALL_StopInstances", "AWS_API_CALL_StopInstances"),
            ("vm/created now", "vm%2Fcreated%20now"),
            ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
            ("..", "%2E."),
            (".hidden", "%2Ehidden"),
            (".missing", "_missing"),
            ("_missing", "%5Fmissing"),
            ("__class__", "%5F_class__"),
            ("*", "%2A"),
            ("backup~", "backup%7E"),
            ("vm.test", "vm%2Etest"),
            ("CON", "%43ON"),
            ("com1.started", "%63om1.started"),
            ("com.started", "com.started"),
            ("größe", "gr%C3%B6%C3%9Fe"),
            ("-rf", "%2Drf"),
        ] {
            assert_eq!(file_stem(name), expected);
        }
    }

    #[test]
    fn yaml_keeps_texts_as_they_are() {
        for (text, expected) in [
            ("com.awesomecloud.vm.suspend", "com.awesomecloud.vm.suspend"),
            (
                "event.vm_name == \"production\"",
                "event.vm_name == \"production\"",
            ),
            ("1.10", "\"1.10\""),
            ("True", "\"True\""),
            ("no", "\"no\""),
            ("!x", "\"!x\""),
            ("a: b", "\"a: b\""),
            ("a #b", "\"a #b\""),
            ("say \"x\" \\ y: ", "\"say \\\"x\\\" \\\\ y: \""),
            ("a\u{202e}\n\u{85}\u{e0041}", "\"a\\u202E\\n\\x85\\U000E0041\""),
            ("", "\"\""),
        ] {
            assert_eq!(yaml_text(text), expected);
        }
    }

    proptest! {
        #[test]
        fn a_file_name_is_safe_and_tells_the_name(name: String) {
            let stem = file_stem(&name);
            let is_safe = |c: char| c.is_ascii_alphanumeric() || "_-.%".contains(c);
            prop_assert!(stem.chars().all(is_safe) && stem.len() <= 200, "{stem}");
            prop_assert!(name.is_empty() || !stem.starts_with(['.', '-']) && !stem.starts_with("__"));
            if stem.len() <= LONGEST && name != ".missing" {
                prop_assert_eq!(percent_decode_str(&stem).decode_utf8().unwrap(), name);
            }
        }

        #[test]
        fn what_yaml_reads_is_the_text(text: String) {
            let line = format!("name: {}\n", yaml_text(&text));
            let read = Node::parse(&line).unwrap();
            prop_assert_eq!(read.get("name").and_then(Node::text), Some(text.as_str()));
            let read_elsewhere: Value = serde_yaml::from_str(&line).unwrap();
            prop_assert_eq!(read_elsewhere, serde_json::json!({ "name": text }));
        }
    }
}
