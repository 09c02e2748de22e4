//! The ledger: a list of what was sent and what was answered, kept outside the system that it is about.
//!
//! One JSON document a line, `{"ems": "my_cloud", "key": "e-1", "sha256": "…", "answered": true}`: written before
//! the event is sent without an answer, and again with it. A line cut short at the end, by a crash of the sender,
//! says nothing.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use ahash::HashMap;
use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;

/// One line of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerLine {
    /// The name of the manager.
    pub ems: String,
    /// The key of the event.
    pub key: String,
    /// The SHA-256 of the event's bytes as they were sent, in hexadecimal; what is in the body of a CloudEvent
    /// where that is a JSON object. Without it the bytes are not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256Text>,
    /// Whether it was accepted (2xx); none while that is not known. After `false` it may be there or not.
    #[serde(default)]
    pub answered: Option<bool>,
}

/// A SHA-256 that is written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sha256Text(pub [u8; 32]);

impl Sha256Text {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl Serialize for Sha256Text {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&digits)
    }
}

impl<'de> Deserialize<'de> for Sha256Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit = |byte: &u8| {
            char::from(*byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let digits: Option<Vec<u8>> = text.as_bytes().iter().map(digit).collect();
        let bytes = digits.map(|digits| {
            let pairs = digits.chunks_exact(2);
            pairs
                .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
                .collect::<Vec<u8>>()
        });
        let bytes = bytes
            .filter(|_| text.len() == 64)
            .and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a SHA-256 of 64 hexadecimal digits is expected"))
    }
}

/// Why there is no ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be read or written.
    #[error("cannot use the ledger `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line of it says something else.
    #[error(
        "`{}` line {line} is no line of a ledger; {{\"ems\": \"NAME\", \"key\": \"KEY\", \"sha256\": \"…\", \
         \"answered\": true}} is expected",
        path.display()
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// What is known of one key, all its lines together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Of its bytes, where it is known.
    pub sha256: Option<[u8; 32]>,
    /// Whether any of its lines says that it was accepted.
    pub is_answered: bool,
}

/// A ledger that was read: by manager and key.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The entries.
    pub entries: BTreeMap<String, HashMap<String, LedgerEntry>>,
}

impl Ledger {
    /// Reads a ledger.
    ///
    /// # Errors
    /// When it cannot be read, or a line before the last one is none.
    pub fn read(path: &Path) -> Result<Self, LedgerError> {
        let fail = |source| LedgerError::Io {
            path: path.to_path_buf(),
            source,
        };
        let mut ledger = Self::default();
        let mut reader = BufReader::new(File::open(path).map_err(fail)?);
        let mut text = String::new();
        for line in 1.. {
            text.clear();
            if reader.read_line(&mut text).map_err(fail)? == 0 {
                break;
            }
            if text.trim().is_empty() {
                continue;
            }
            match serde_json::from_str(&text) {
                Ok(read) => ledger.add(read),
                Err(_cut_short) if !text.ends_with('\n') => break,
                Err(source) => {
                    let path = path.to_path_buf();
                    return Err(LedgerError::Line { path, line, source });
                }
            }
        }
        Ok(ledger)
    }

    /// Adds a line.
    pub fn add(&mut self, line: LedgerLine) {
        let entry = self
            .entries
            .entry(line.ems)
            .or_default()
            .entry(line.key)
            .or_default();
        entry.sha256 = line.sha256.map(|digest| digest.0).or(entry.sha256);
        entry.is_answered |= line.answered == Some(true);
    }
}

/// A ledger that is written: each call is with the system before it returns.
#[derive(Debug)]
pub struct LedgerWriter {
    path: PathBuf,
    file: File,
}

impl LedgerWriter {
    /// Begins a ledger, or goes on with it.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn append_to(path: &Path) -> Result<Self, LedgerError> {
        let file = fs::OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|source| LedgerError::Io {
            path: path.to_path_buf(),
            source,
        })?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
        })
    }

    /// Writes lines in one go.
    ///
    /// # Errors
    /// When they cannot be written; then what they are about must not be sent.
    pub fn write<'a>(&mut self, lines: impl IntoIterator<Item = &'a LedgerLine>) -> Result<(), LedgerError> {
        let fail = |source| LedgerError::Io {
            path: self.path.clone(),
            source,
        };
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line).map_err(|error| fail(error.into()))?;
            text.push(b'\n');
        }
        self.file.write_all(&text).map_err(fail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_key_are_one_entry_and_the_last_line_may_be_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let mut writer = LedgerWriter::append_to(&path).unwrap();
        let digest = Sha256Text::of(b"abc");
        let line = |key: &str, sha256, answered| LedgerLine {
            ems: "cloud".to_owned(),
            key: key.to_owned(),
            sha256,
            answered,
        };
        let lines = [
            line("a", Some(digest), None),
            line("b", None, Some(false)),
            line("a", None, Some(true)),
        ];
        writer.write(&lines).unwrap();
        let mut text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        text.push_str(r#"{"ems": "cloud", "key": "c"#);
        fs::write(&path, &text).unwrap();
        let ledger = Ledger::read(&path).unwrap();
        let expected = LedgerEntry {
            sha256: Some(digest.0),
            is_answered: true,
        };
        assert_eq!(ledger.entries["cloud"]["a"], expected);
        assert_eq!(ledger.entries["cloud"]["b"], LedgerEntry::default());
        assert_eq!(ledger.entries["cloud"].len(), 2);
        fs::write(&path, "\n{\"ems\": \"cloud\", \"key\": 7}\n{}").unwrap();
        let error = Ledger::read(&path).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
