//! `switchboard secret`: a password as the datastore keeps it, and the key that encrypts it.

use std::fs::OpenOptions;
use std::io;
use std::io::BufRead;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use crate::automate::secret;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::output::Output;

/// A password as a `password` field holds it, encrypted under the key file
///
/// The clear text is the first line of standard input, so that no list of processes shows it. The key file is the
/// one that SWITCHBOARD_KEY_FILE names; `serve` needs the same one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  switchboard secret --new-key switchboard.key
  export SWITCHBOARD_KEY_FILE=$PWD/switchboard.key
  switchboard secret < password.txt")]
pub(crate) struct Secret {
    /// Writes a fresh key to this file instead; never over one that is there
    #[arg(long, value_name = "FILE")]
    new_key: Option<PathBuf>,
}

impl Secret {
    pub(crate) fn run(&self, out: &mut Output) -> Result<ExitCode, CliError> {
        if let Some(path) = &self.new_key {
            let unreadable = |source| CliError::Unreadable {
                path: path.clone(),
                source,
            };
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .map_err(unreadable)?;
            writeln!(file, "{}", secret::new_key())
                .and_then(|()| file.sync_all())
                .map_err(unreadable)?;
            return Ok(ExitCode::Fine);
        }
        let mut clear = String::new();
        let read = io::stdin().lock().read_line(&mut clear);
        read.map_err(|source| CliError::Unreadable {
            path: PathBuf::from("-"),
            source,
        })?;
        let stored = secret::seal(clear.trim_end_matches(['\r', '\n']));
        let stored = stored.map_err(|why| {
            CliError::usage(
                why.to_string(),
                "write a key with `switchboard secret --new-key FILE`",
            )
        })?;
        writeln!(out, "{stored}")?;
        Ok(ExitCode::Fine)
    }
}
