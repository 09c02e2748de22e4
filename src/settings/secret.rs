//! Secret: a token or a password that no log, trace, page or error ever shows.

use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read;

use crate::source::text::without_mark;

/// What stands in place of a secret wherever one would be shown.
const MASK: &str = "********";

/// The longest secret of a file, in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// A text that is never shown: it has no `Display`, and its `Debug` is a mask.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// `env:NAME` names a variable that is not set.
    #[error("the environment variable `{0}` is not set")]
    Variable(String),
    /// `file:PATH` names a file that cannot be read.
    #[error("the file `{path}` cannot be read")]
    File {
        /// The path as written.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is there, but nothing is in it.
    #[error("`{0}` is empty")]
    Empty(String),
    /// The text itself is blank.
    #[error("this is blank")]
    Blank,
    /// It looks like a reference of another program, and would be the secret itself.
    #[error("this looks like a reference, and would be the secret itself: write `env:NAME` or `file:PATH`")]
    Foreign,
}

impl SecretError {
    /// Whether it refers to something that is not there, which may come.
    pub fn is_dangling(&self) -> bool {
        match self {
            Self::Variable(_) | Self::File { .. } | Self::Empty(_) => true,
            Self::Blank | Self::Foreign => false,
        }
    }
}

/// Whether a text refers to a secret, so that it may be shown.
pub(crate) fn is_reference(text: &str) -> bool {
    text.starts_with("env:") || text.starts_with("file:")
}

/// Whether a text is what other programs take for a reference: `$TOKEN`, `${TOKEN}`, `ENV:TOKEN`,
/// `<%= … %>`, `{{ … }}`.
fn is_foreign(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit())
    };
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_misspelt = ["env", "file"]
        .iter()
        .any(|known| scheme.trim().eq_ignore_ascii_case(known));
    is_misspelt && !is_reference(text)
        || (text.starts_with("${") && text.ends_with('}'))
        || (text.starts_with("{{") && text.ends_with("}}"))
        || (text.starts_with("<%") && text.ends_with("%>"))
        || text.strip_prefix('$').is_some_and(is_name)
}

impl Secret {
    /// The secret that `reference` means: `env:NAME` looks into the environment, `file:PATH` into a file (line
    /// ends behind it do not count); anything else is the secret itself.
    ///
    /// # Errors
    /// When the variable or the file is not there, or is empty.
    pub fn resolve(
        reference: &str,
        variable: impl FnOnce(&str) -> Option<String>,
    ) -> Result<Self, SecretError> {
        let text = if let Some(name) = reference.strip_prefix("env:") {
            variable(name).ok_or_else(|| SecretError::Variable(name.to_owned()))?
        } else if let Some(path) = reference.strip_prefix("file:") {
            let text = read(path).map_err(|source| {
                let path = path.to_owned();
                SecretError::File { path, source }
            })?;
            without_mark(&text).trim_end_matches(['\r', '\n']).to_owned()
        } else {
            return Ok(Self(reference.to_owned()));
        };
        if text.trim().is_empty() {
            return Err(SecretError::Empty(reference.to_owned()));
        }
        Ok(Self(text))
    }

    /// The secret that a setting means; a text that is blank, or that another program would take for a reference, is a
    /// mistake there.
    ///
    /// # Errors
    /// When it means none, or one that is not to be had.
    pub(crate) fn of_setting(
        text: &str,
        variable: impl FnOnce(&str) -> Option<String>,
    ) -> Result<Self, SecretError> {
        match text {
            text if text.trim().is_empty() => Err(SecretError::Blank),
            text if is_foreign(text) => Err(SecretError::Foreign),
            text => Self::resolve(text, variable),
        }
    }

    /// The text itself, to be compared or sent, never to be kept or printed.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Reads a text, up to the longest that a secret is.
fn read(path: &str) -> io::Result<String> {
    let mut text = String::new();
    let length = File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if u64::try_from(length).is_ok_and(|length| MAX_BYTES < length) {
        let message = "it is longer than 64 KiB";
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_reference_is_looked_up_and_the_secret_is_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "\u{feff}from a file\n").unwrap();
        let in_file = format!("file:{}", file.path().display());
        let blank = tempfile::NamedTempFile::new().unwrap();
        fs::write(&blank, " \n\n").unwrap();
        let in_blank = format!("file:{}", blank.path().display());
        let is_empty = format!("`{in_blank}` is empty");
        let variable = |name: &str| match name {
            "TOKEN" => Some("from a variable".to_owned()),
            "EMPTY" => Some(String::new()),
            _unset => None,
        };
        for (reference, expected) in [
            ("plain", Ok("plain")),
            ("$1plain", Ok("$1plain")),
            ("env:TOKEN", Ok("from a variable")),
            (in_file.as_str(), Ok("from a file")),
            (in_blank.as_str(), Err(is_empty.as_str())),
            ("env:EMPTY", Err("`env:EMPTY` is empty")),
            (
                "env:NOTHING",
                Err("the environment variable `NOTHING` is not set"),
            ),
            ("env:", Err("the environment variable `` is not set")),
            ("file:/nowhere", Err("the file `/nowhere` cannot be read")),
            ("file:/dev/zero", Err("the file `/dev/zero` cannot be read")),
            ("file:", Err("the file `` cannot be read")),
            ("", Err("this is blank")),
            (" ", Err("this is blank")),
        ] {
            let secret = Secret::of_setting(reference, variable).map_err(|error| error.to_string());
            assert_eq!(
                secret.as_ref().map(Secret::reveal).map_err(String::as_str),
                expected,
                "{reference}"
            );
            assert!(!format!("{secret:?}").contains("from a"), "{secret:?}");
        }
    }

    #[test]
    fn what_other_programs_take_for_a_reference_is_no_secret() {
        for text in [
            "$TOKEN",
            "${TOKEN}",
            "${token:-x}",
            "ENV:TOKEN",
            "Env: TOKEN",
            " env:TOKEN",
            "FILE:/x",
            "<%= ENV['TOKEN'] %>",
            "{{ .Values.token }}",
        ] {
            let secret = Secret::of_setting(text, |_| Some("x".to_owned()));
            assert!(matches!(secret, Err(SecretError::Foreign)), "{text}: {secret:?}");
        }
    }
}
