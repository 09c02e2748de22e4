//! Secret: a token or a password that no log, trace, page or error ever shows.

use std::fmt;
use std::fs;
use std::io;

/// What stands in place of a secret wherever one would be shown.
const MASK: &str = "********";

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
            let text = fs::read_to_string(path).map_err(|source| {
                let path = path.to_owned();
                SecretError::File { path, source }
            })?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        } else {
            return Ok(Self(reference.to_owned()));
        };
        if text.is_empty() {
            return Err(SecretError::Empty(reference.to_owned()));
        }
        Ok(Self(text))
    }

    /// The text itself, to be compared or sent, never to be kept or printed.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_looked_up_and_the_secret_is_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "from a file\n").unwrap();
        let in_file = format!("file:{}", file.path().display());
        let variable = |name: &str| match name {
            "TOKEN" => Some("from a variable".to_owned()),
            "EMPTY" => Some(String::new()),
            _unset => None,
        };
        for (reference, expected) in [
            ("plain", Ok("plain")),
            ("env:TOKEN", Ok("from a variable")),
            (in_file.as_str(), Ok("from a file")),
            ("env:EMPTY", Err("`env:EMPTY` is empty")),
            (
                "env:NOTHING",
                Err("the environment variable `NOTHING` is not set"),
            ),
            ("file:/nowhere", Err("the file `/nowhere` cannot be read")),
        ] {
            let secret = Secret::resolve(reference, variable).map_err(|error| error.to_string());
            assert_eq!(
                secret.as_ref().map(Secret::reveal).map_err(String::as_str),
                expected
            );
            assert!(!format!("{secret:?}").contains("from a"), "{secret:?}");
        }
    }
}
