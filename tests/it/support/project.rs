//! A temporary project folder, and the commands that are run in it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::LazyLock;

use regex::Regex;
use tempfile::TempDir;

/// A folder as a user has one.
pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    /// A folder with the files of a fixture: `//- path` begins a file.
    pub(crate) fn new(fixture: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = Self { folder };
        for part in fixture.split("//- ").skip(1) {
            let (path, text) = part.split_once('\n').unwrap();
            project.write(path.trim(), text);
        }
        project
    }

    /// A folder with the rules and scripts that are shipped.
    pub(crate) fn shipped() -> Self {
        let project = Self::new("");
        for name in ["automate", "scripts"] {
            symlink(
                Path::new(env!("CARGO_MANIFEST_DIR")).join(name),
                project.path(name),
            )
            .unwrap();
        }
        project
    }

    /// A folder with a copy of what is shipped, for a test to change.
    pub(crate) fn copied() -> Self {
        fn copy(from: &Path, to: &Path) {
            fs::create_dir_all(to).unwrap();
            for entry in fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                let to = to.join(entry.file_name());
                if entry.file_type().unwrap().is_dir() {
                    copy(&entry.path(), &to);
                } else {
                    fs::copy(entry.path(), to).unwrap();
                }
            }
        }
        let project = Self::new("");
        for name in ["automate", "scripts"] {
            copy(
                &Path::new(env!("CARGO_MANIFEST_DIR")).join(name),
                &project.path(name),
            );
        }
        project
    }

    /// The path of something in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of it.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The program in this folder, with these arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.current_dir(self.folder.path()).args(arguments);
        command.env_remove("RUST_LOG").env_remove("NO_COLOR");
        command
    }

    /// Runs a command line and tells what a user sees: results, then what went to standard error, then how it ended.
    pub(crate) fn run(&self, line: &str) -> String {
        self.run_with_input(line, "")
    }

    /// The same with something to read.
    pub(crate) fn run_with_input(&self, line: &str, input: &str) -> String {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let output = self.output(&arguments, input);
        let mut told = format!("$ switchboard {line}\n");
        told.push_str(&String::from_utf8_lossy(&output.stdout));
        // How full the disk is that tests run on is no business of theirs.
        let is_about_disk = |line: &&str| line.contains("Little room is left on the disk");
        for line in String::from_utf8_lossy(&output.stderr)
            .lines()
            .filter(|line| !is_about_disk(line))
        {
            told.push_str(&format!("! {line}\n"));
        }
        if output.status.code() != Some(0) {
            told.push_str(&format!("exit {:?}\n", output.status.code()));
        }
        redacted(&told)
    }

    /// Runs a command to its end.
    pub(crate) fn output(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }
}

/// The text without what differs from run to run: times of now, generations.
fn redacted(text: &str) -> String {
    static NOW: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z").unwrap());
    static RULES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[0-9a-f]{32}\b").unwrap());
    RULES
        .replace_all(&NOW.replace_all(text, "[time]"), "[generation]")
        .into_owned()
}
