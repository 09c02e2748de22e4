//! Why a command could not do its work, told with every cause and with what to do.

use std::error::Error;
use std::io;
use std::io::Write;
use std::path::PathBuf;

use crate::cli::width::line;
use crate::settings::SettingsError;

/// Why a command could not do its work; each is an exit status of 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The results could not be written.
    #[error("cannot write the results")]
    Output(#[from] io::Error),
    /// A file or folder could not be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// What was asked for makes no sense, and why.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do; may be empty.
        help: String,
    },
    /// The settings would mean something else than is written.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Something below failed.
    #[error("{doing}")]
    Failed {
        /// What was being done.
        doing: String,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl CliError {
    /// Wrong usage, with what to do about it.
    pub(crate) fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            help: help.into(),
        }
    }

    /// A failure of another part while `doing` something.
    pub(crate) fn failed(doing: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Failed {
            doing: doing.into(),
            source: Box::new(source),
        }
    }

    /// Prints it, its causes and its help; a reader that is gone is no error.
    pub(crate) fn report(&self, to: &mut impl Write) {
        let mut text = format!("error: {}\n", line(&self.to_string()));
        if let Self::Settings(SettingsError(findings)) = self {
            for finding in findings {
                text.push_str(&format!("  {}\n", line(&finding.to_string())));
                if !finding.help.is_empty() {
                    text.push_str(&format!("    help: {}\n", line(&finding.help)));
                }
            }
        }
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(&format!("  because: {}\n", line(&error.to_string())));
            cause = error.source();
        }
        if let Self::Usage { help, .. } = self
            && !help.is_empty()
        {
            text.push_str(&format!("  help: {}\n", line(help)));
        }
        let _gone = to.write_all(text.as_bytes());
    }
}
