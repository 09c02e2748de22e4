//! The file stream: JSON lines from a file that grows and rotates, by renaming it or by emptying it in place.
//!
//! A line counts once its end is there. The position is the file, by device and inode, the offset in it, and what it
//! begins with, so that a file which was emptied and grew again is seen. Knows nothing of what a line means.

use std::collections::VecDeque;
use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;
use tracing::info;
use tracing::warn;

use crate::catcher::lines;
use crate::catcher::stream::Batch;
use crate::catcher::stream::Stream;
use crate::catcher::stream::StreamError;
use crate::crash_point::crash_point;
use crate::model::json;

/// So much is read at once, in bytes: some hundred events, which are one transaction, and others wait for its end.
const CHUNK: usize = 512 << 10;
/// So much where no line ends within a chunk; the longest line is kept well below.
const LONG_CHUNK: usize = 4 << 20;
/// By so many bytes of its beginning a file is known again.
const HEAD: u64 = 256;
/// Endings of files that hold no lines any more.
const PACKED: [&str; 4] = [".gz", ".xz", ".zst", ".bz2"];
/// How often a file that does not grow is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Where it has got to; kept as the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    device: u64,
    inode: u64,
    /// Everything before it is kept.
    offset: u64,
    /// Whether the rest of a line that was too long is still to be passed over.
    in_long_line: bool,
    /// How much of the beginning the digest is of, and the digest.
    head: u64,
    head_digest: String,
}

/// A file of JSON lines.
#[derive(Debug)]
pub(crate) struct FileStream {
    name: String,
    /// Not there only while somebody reads.
    reader: Option<Reader>,
}

#[derive(Debug)]
struct Reader {
    path: PathBuf,
    file: File,
    position: Position,
    /// Files to be read after this one and before the one at `path`: rotated away while nobody looked. Open, since
    /// the next rotation gives them other names.
    rotated: VecDeque<File>,
    /// The file was found to be at its end after it had been rotated away.
    is_past_end: bool,
}

impl FileStream {
    /// Opens the file where it had been left, or at its beginning.
    ///
    /// # Errors
    /// When it cannot be read or is no plain file.
    pub(crate) fn open(name: String, position: Option<&json::Value>) -> Result<Self, StreamError> {
        let position = position.and_then(|position| json::from_value::<Position>(position).ok());
        let reader = Reader::open(Path::new(&name), position).map_err(|error| unreadable(&name, &error))?;
        let reader = Some(reader);
        Ok(Self { name, reader })
    }
}

impl Stream for FileStream {
    /// The path: a manager that is given another file begins anew there.
    fn name(&self) -> &str {
        &self.name
    }

    async fn next(&mut self) -> Result<Batch, StreamError> {
        let gone = || StreamError::File {
            path: self.name.clone(),
            reason: "the last reading of it did not end".to_owned(),
        };
        let mut reader = self.reader.take().ok_or_else(gone)?;
        let read = tokio::task::spawn_blocking(move || {
            let batch = reader.read();
            (reader, batch)
        });
        let (reader, batch) = read.await.map_err(|_panic| gone())?;
        self.reader = Some(reader);
        batch.map_err(|error| unreadable(&self.name, &error))
    }

    fn pause(&self, poll: Duration) -> Duration {
        poll.min(LOOK)
    }
}

impl Reader {
    fn open(path: &Path, left: Option<Position>) -> io::Result<Self> {
        let Some(left) = left else {
            return Self::begin(path, open_plain(path)?, VecDeque::new());
        };
        let is_left = |path: &Path| {
            let metadata = fs::metadata(path);
            metadata.is_ok_and(|found| (found.dev(), found.ino()) == (left.device, left.inode))
        };
        let siblings = siblings(path)?;
        if let Some((left_at, oldest)) = siblings.iter().find(|(_, path)| is_left(path)) {
            let file = open_plain(oldest)?;
            if left.is_of(&file)? {
                // Those of the same moment are taken too: what is read twice is kept once.
                let later = siblings
                    .iter()
                    .filter(|(at, path)| left_at <= at && path != oldest);
                return Ok(Self {
                    path: path.to_path_buf(),
                    file,
                    rotated: later
                        .map(|(_, path)| open_plain(path))
                        .collect::<Result<_, _>>()?,
                    position: left,
                    is_past_end: false,
                });
            }
        }
        if is_left(path) {
            let file = open_plain(path)?;
            if left.is_of(&file)? {
                let (path, rotated) = (path.to_path_buf(), VecDeque::new());
                let (position, is_past_end) = (left, false);
                return Ok(Self {
                    path,
                    file,
                    position,
                    rotated,
                    is_past_end,
                });
            }
        }
        warn!(path = %path.display(), offset = left.offset, "The file that was read last is gone or was emptied; beginning at the beginning of the present one.");
        Self::begin(path, open_plain(path)?, VecDeque::new())
    }

    fn begin(path: &Path, file: File, rotated: VecDeque<File>) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let position = Position {
            device: metadata.dev(),
            inode: metadata.ino(),
            ..Position::default()
        };
        let (path, is_past_end) = (path.to_path_buf(), false);
        Ok(Self {
            path,
            file,
            position,
            rotated,
            is_past_end,
        })
    }

    /// The lines that are whole; goes on to the next file where this one is at its end.
    fn read(&mut self) -> io::Result<Batch> {
        if !self.position.is_of(&self.file)? {
            info!(path = %self.path.display(), "The file was emptied; beginning at its beginning.");
            *self = Self::begin(&self.path, open_plain(&self.path)?, VecDeque::new())?;
        }
        let mut bytes = self.read_at(self.position.offset, CHUNK)?;
        let mut is_full = bytes.len() == CHUNK;
        if is_full && !bytes.contains(&b'\n') {
            bytes = self.read_at(self.position.offset, LONG_CHUNK)?;
            is_full = bytes.len() == LONG_CHUNK;
        }
        // Whoever writes to a file that was renamed may go on for a moment, so it is read once more after its end.
        let is_last = !is_full && self.is_past_end;
        let split = lines::split(&bytes, self.position.in_long_line, is_last);
        crash_point!("file.line_read", !split.messages.is_empty());
        self.position.offset += u64::try_from(split.used).unwrap_or_default();
        self.position.in_long_line = split.in_long_line;
        self.position.note_head(&self.file)?;
        let mut more = is_full;
        if !is_full && self.is_rotated_away()? {
            if self.is_past_end && self.go_on()? {
                more = true;
            }
            self.is_past_end = split.messages.is_empty() && !more;
        }
        let position = json::to_value(&self.position).map_err(io::Error::other)?;
        let has_moved = split.used > 0;
        Ok(Batch {
            messages: split.messages,
            broken: split.broken,
            position: has_moved.then_some(position),
            gap: None,
            more,
        })
    }

    fn read_at(&self, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        let there = self.file.metadata()?.len().saturating_sub(offset);
        let mut bytes = vec![0; usize::try_from(there).unwrap_or(most).min(most)];
        let mut length = 0;
        while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match self
                .file
                .read_at(rest, offset + u64::try_from(length).unwrap_or_default())
            {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Whether this file is another one than what the path names now.
    fn is_rotated_away(&self) -> io::Result<bool> {
        if !self.rotated.is_empty() {
            return Ok(true);
        }
        match fs::metadata(&self.path) {
            Ok(now) => Ok((now.dev(), now.ino()) != (self.position.device, self.position.inode)),
            // Between the renaming and the new file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Goes on with the next file; false where it is not there yet.
    fn go_on(&mut self) -> io::Result<bool> {
        if self.rotated.is_empty() {
            self.rotated = self.rotated_since()?;
        }
        let next = match self.rotated.pop_front() {
            Some(file) => Ok(file),
            None => open_plain(&self.path),
        };
        match next {
            Ok(file) => {
                *self = Self::begin(&self.path, file, std::mem::take(&mut self.rotated))?;
                info!(path = %self.path.display(), "Went on to the next file.");
                crash_point!("file.rotated");
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What was rotated away after this file and before the present one: the file may be rotated many times while
    /// the disk is full, or between two looks. Of the same moment nothing tells which came first, so those are out.
    fn rotated_since(&self) -> io::Result<VecDeque<File>> {
        let written = self.file.metadata()?.modified()?;
        let later = siblings(&self.path)?.into_iter().filter(|(at, _)| written < *at);
        later.map(|(_, path)| open_plain(&path)).collect()
    }
}

impl Position {
    /// Whether the file still has what was read of it.
    fn is_of(&self, file: &File) -> io::Result<bool> {
        Ok(self.offset <= file.metadata()?.len() && digest(file, self.head)? == self.head_digest)
    }

    /// Remembers what the file begins with, as far as it was read.
    fn note_head(&mut self, file: &File) -> io::Result<()> {
        let head = self.offset.min(HEAD);
        if head != self.head || self.head_digest.is_empty() {
            (self.head, self.head_digest) = (head, digest(file, head)?);
        }
        Ok(())
    }
}

/// A digest of the first bytes; nothing of none.
fn digest(file: &File, length: u64) -> io::Result<String> {
    let mut head = vec![0; usize::try_from(length).unwrap_or_default()];
    match file.read_exact_at(&mut head, 0) {
        Ok(()) if head.is_empty() => Ok(String::new()),
        Ok(()) => {
            let digest: [u8; 32] = Sha256::digest(&head).into();
            Ok(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok("shorter".to_owned()),
        Err(error) => Err(error),
    }
}

/// A plain file; opening a pipe would wait for its writer.
fn open_plain(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"));
    }
    File::open(path)
}

/// The files beside `path` whose names begin with its name, as rotation leaves them, the oldest first.
fn siblings(path: &Path) -> io::Result<Vec<(SystemTime, PathBuf)>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(Vec::new());
    };
    let name = name.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let other = entry.file_name().to_string_lossy().into_owned();
        let metadata = entry.metadata()?;
        let is_packed = PACKED.iter().any(|end| other.ends_with(end));
        if other != name && other.starts_with(&name) && metadata.is_file() && !is_packed {
            found.push((metadata.modified()?, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

fn unreadable(path: &str, error: &io::Error) -> StreamError {
    StreamError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
