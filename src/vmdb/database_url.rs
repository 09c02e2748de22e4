//! DatabaseUrl: where the database is, as `--database` says it.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::str::FromStr;

use crate::vmdb::VmdbError;

/// Where the database is: `sqlite:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseUrl {
    path: PathBuf,
}

impl DatabaseUrl {
    /// The SQLite database in this file.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Whether there is such a database.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// For the database alone: whoever else opened and closed its file would drop SQLite's locks on it.
    pub(in crate::vmdb) fn path(&self) -> &Path {
        &self.path
    }
}

impl FromStr for DatabaseUrl {
    type Err = VmdbError;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let refuse = |expected| {
            Err(VmdbError::Url {
                url: url.to_owned(),
                expected,
            })
        };
        match url.split_once(':') {
            Some(("sqlite", path)) => match path.strip_prefix("//").unwrap_or(path) {
                "" | ":memory:" => {
                    refuse("`sqlite:` wants the path of a file, for example `sqlite:switchboard.db`")
                }
                path => Ok(Self::sqlite(path)),
            },
            Some(("postgres" | "postgresql", _)) => refuse(
                "this build has no PostgreSQL; write `sqlite:PATH`, for example `sqlite:switchboard.db`",
            ),
            _other => refuse("write `sqlite:PATH`, for example `sqlite:switchboard.db`"),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite:{}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::DatabaseUrl;

    #[test]
    fn a_url_names_a_file_or_says_what_to_write() {
        for (url, path) in [
            ("sqlite:a.db", "a.db"),
            ("sqlite:/var/a.db", "/var/a.db"),
            ("sqlite:///var/a.db", "/var/a.db"),
        ] {
            assert_eq!(
                url.parse::<DatabaseUrl>().unwrap(),
                DatabaseUrl::sqlite(path),
                "{url}"
            );
        }
        for url in ["a.db", "sqlite:", "sqlite::memory:", "postgres://x", "mysql:x"] {
            let error = url.parse::<DatabaseUrl>().unwrap_err().to_string();
            assert!(error.contains("for example `sqlite:switchboard.db`"), "{error}");
        }
    }
}
