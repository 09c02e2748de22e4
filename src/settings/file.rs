//! The settings file of a site: where it is, whether it is there, and its text. Knows nothing of what is in it.
//!
//! A file that somebody named, or that is there, and cannot be read is never taken for none: the defaults would let in
//! whom it keeps out.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::fs::fcntl_setfl;
use rustix::fs::fstat;
use rustix::fs::openat;

use crate::settings::mask::masked;
use crate::source::Diagnostic;
use crate::source::text::without_mark;

/// The longest settings file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Where the settings of a site are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsPath {
    path: PathBuf,
    is_named: bool,
}

impl SettingsPath {
    /// A file that has to be there, because somebody named it.
    pub fn named(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { path, is_named: true }
    }

    /// Where settings usually are; a site without any has no file there.
    pub fn usual(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            path,
            is_named: false,
        }
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it has to be there.
    pub fn is_named(&self) -> bool {
        self.is_named
    }

    /// The same path; where something is there now, it has to stay there.
    #[must_use]
    pub fn kept(self) -> Self {
        let is_named = self.is_named || !is_missing(&self.path);
        Self { is_named, ..self }
    }

    /// The text; none where there need not be any and is none.
    ///
    /// # Errors
    /// Why it cannot be read, and what to do about it.
    pub(crate) fn read(&self) -> Result<Option<String>, Box<Diagnostic>> {
        if !self.is_named && is_missing(&self.path) {
            return match self.mistaken() {
                Some(finding) => Err(Box::new(finding)),
                None => Ok(None),
            };
        }
        let bytes = read(&self.path).map_err(|error| Box::new(self.unreadable(&error)))?;
        let text =
            String::from_utf8(bytes).map_err(|error| Box::new(Diagnostic::not_utf8(&self.name(), &error)))?;
        if without_mark(&text).trim().is_empty() && !is_null_device(&self.path) {
            let help = "write `{}` into it where everything is to have its default";
            let finding = Diagnostic::error("EmptyFile", &self.name(), "the settings file is empty");
            return Err(Box::new(finding.help(help)));
        }
        Ok(Some(text))
    }

    /// The text as far as it can be shown, line by line, without its secrets.
    pub fn shown_text(&self) -> Option<String> {
        let bytes = read(&self.path).ok()?;
        Some(masked(without_mark(&String::from_utf8_lossy(&bytes))))
    }

    /// The file with its folder's name in front, for people.
    pub(crate) fn name(&self) -> Arc<str> {
        let folder = self.path.parent().and_then(|folder| folder.canonicalize().ok());
        let in_working_folder = || Path::new(".").canonicalize().unwrap_or_default();
        let folder = folder.unwrap_or_else(in_working_folder);
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let (folder, file) = (name(&folder), name(&self.path).unwrap_or_default());
        folder
            .map_or(file.clone(), |folder| format!("{folder}/{file}"))
            .into()
    }

    fn unreadable(&self, error: &io::Error) -> Diagnostic {
        let path = self.path.display();
        let help = match error.kind() {
            io::ErrorKind::NotFound => "put it there, or name another one with `--config`".to_owned(),
            io::ErrorKind::PermissionDenied => {
                "let the user as whom this runs read it, and the folders on the way to it".to_owned()
            }
            io::ErrorKind::IsADirectory => format!("name the file itself, for example `{path}/settings.yml`"),
            _other => String::new(),
        };
        let message = format!("cannot read the settings file `{path}`: {error}");
        Diagnostic::error("Unreadable", &self.name(), message).help(help)
    }

    /// Where there is no file: one beside it that somebody may take for it.
    fn mistaken(&self) -> Option<Diagnostic> {
        let extension = self.path.extension()?;
        let other = self
            .path
            .with_extension(if extension == "yml" { "yaml" } else { "yml" });
        if is_missing(&other) {
            return None;
        }
        let message = format!(
            "nobody reads `{}`: the settings are in `{}`",
            other.display(),
            self.path.display()
        );
        let help = "rename it, or name it with `--config`";
        Some(Diagnostic::error("UnreadFile", &Self::usual(other).name(), message).help(help))
    }
}

/// Whether nothing is there, not even a link that leads nowhere, on the whole way. What cannot be told is there.
fn is_missing(path: &Path) -> bool {
    let is_nothing = |path: &Path| {
        path.symlink_metadata()
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    let is_broken_link = |path: &Path| !is_nothing(path) && fs::metadata(path).is_err();
    is_nothing(path)
        && !path
            .ancestors()
            .skip(1)
            .filter(|above| *above != Path::new(""))
            .any(is_broken_link)
}

/// Reads what is there, be it a file or a pipe, up to the longest that is read.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Without waiting, or opening a pipe would wait for a writer for ever.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let descriptor: OwnedFd = openat(CWD, path, flags, Mode::empty())?;
    if kind(&fstat(&descriptor)?) != FileType::RegularFile {
        fcntl_setfl(&descriptor, flags.difference(OFlags::NONBLOCK))?;
    }
    let mut bytes = Vec::new();
    let length = File::from(descriptor)
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if u64::try_from(length).is_ok_and(|length| MAX_BYTES < length) {
        let message = "it is longer than 1 MiB";
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// `/dev/null`, by which somebody says that there are to be no settings.
fn is_null_device(path: &Path) -> bool {
    path.canonicalize()
        .is_ok_and(|real| real == Path::new("/dev/null"))
}
