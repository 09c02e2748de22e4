//! Opens and reads files strictly below an open folder. Knows nothing of roots and rules.

use std::fs::File;
use std::io;
use std::io::Read;
use std::os::fd::OwnedFd;

use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::fs::fstat;
use rustix::fs::openat;

/// The longest file that is read, in bytes.
const MAX_FILE_BYTES: usize = 1 << 20;

const ANY: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);
/// How folders are opened.
pub(crate) const FOLDER: OFlags = ANY.union(OFlags::DIRECTORY);
/// How files are opened: without blocking, or opening a FIFO would wait for a writer.
pub(crate) const FILE: OFlags = ANY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// Which folder it is, whatever its path: device and inode.
pub(crate) type FolderId = (u64, u64);

/// Opens `path` from `root` name by name, following no link.
pub(crate) fn open_beneath(
    root: &OwnedFd,
    path: &str,
    flags: OFlags,
    mut passed: impl FnMut(&OwnedFd),
) -> io::Result<OwnedFd> {
    let mut at = root.try_clone()?;
    let mut names = path.split('/').filter(|name| !name.is_empty()).peekable();
    while let Some(name) = names.next() {
        let flags = if names.peek().is_some() { FOLDER } else { flags };
        at = openat(&at, name, flags, Mode::empty())?;
        passed(&at);
    }
    Ok(at)
}

/// Reads an open file, once; what it is and how long it is are asked of the descriptor, not of the path.
pub(crate) fn read(descriptor: OwnedFd) -> io::Result<Vec<u8>> {
    let stat = fstat(&descriptor)?;
    if file_type(&stat) != FileType::RegularFile {
        return Err(io::Error::other("it is not a regular file"));
    }
    let size = usize::try_from(stat.st_size).unwrap_or_default();
    // One byte more than expected, so that the end is seen without growing.
    let mut bytes = Vec::with_capacity(size.min(MAX_FILE_BYTES) + 1);
    let limit = u64::try_from(MAX_FILE_BYTES + 1).unwrap_or(u64::MAX);
    File::from(descriptor).take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_FILE_BYTES {
        let message = format!("it is longer than {} MiB", MAX_FILE_BYTES >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// What it is.
pub(crate) fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Identifies an open folder.
pub(crate) fn folder_id(folder: &OwnedFd) -> FolderId {
    fstat(folder).map_or((0, 0), |stat| (stat.st_dev, stat.st_ino))
}
