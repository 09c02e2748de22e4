//! A folder under watch: what SQLite asked of its files, in order, and which calls are to fail.

use std::collections::HashMap;
use std::ffi::c_int;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Weak;

use parking_lot::Mutex;
use rusqlite::ffi;

use crate::ledger::Note;
use crate::vfs;

/// A file, from its creation to its deletion; a file that gets its name later is another one.
pub type FileId = usize;

/// What was asked for, or said by the one who works.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A file has this name from now on. One that was there before the watch began, or that the program made by itself
    /// and whose folder it synced, is safe.
    Named {
        /// In the folder.
        name: String,
        /// The file.
        file: FileId,
        /// Set where name and contents outlive a power cut already.
        safe: Option<Vec<u8>>,
    },
    /// The file has this name no more.
    Deleted {
        /// In the folder.
        name: String,
        /// Whether the folder was synced with it.
        is_safe: bool,
    },
    /// Bytes were written.
    Written {
        /// Into which file.
        file: FileId,
        /// Where.
        offset: usize,
        /// What.
        bytes: Vec<u8>,
    },
    /// The file was cut.
    Truncated {
        /// Which file.
        file: FileId,
        /// To which size.
        size: usize,
    },
    /// What was written until now was asked to be safe, and the system said that it is.
    Synced {
        /// Which file.
        file: FileId,
        /// Whether a commit asked for it with nothing but itself in mind: `synchronous=NORMAL` would not have.
        is_for_commit: bool,
    },
    /// The system said that it failed. It takes what was written for safe from then on, as Linux does.
    SyncFailed {
        /// Which file.
        file: FileId,
    },
    /// From the one who works.
    Note(Note),
}

/// A call of SQLite to its VFS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Of a database, a log or a journal.
    Open,
    /// `xRead`.
    Read,
    /// `xWrite`.
    Write,
    /// `xTruncate`.
    Truncate,
    /// `xSync`.
    Sync,
    /// `xDelete`.
    Delete,
    /// `xFileSize`.
    FileSize,
    /// `xLock`.
    Lock,
    /// `xShmMap`.
    ShmMap,
    /// `xShmLock`, where it takes a lock.
    ShmLock,
    /// [`Call::Write`] to another file than the log, as when the log is moved into the database.
    DatabaseWrite,
    /// [`Call::Sync`] of another file than the log.
    DatabaseSync,
}

impl Call {
    /// Every kind of call, each once.
    pub const ALL: [Self; 10] = [
        Self::Open,
        Self::Read,
        Self::Write,
        Self::Truncate,
        Self::Sync,
        Self::Delete,
        Self::FileSize,
        Self::Lock,
        Self::ShmMap,
        Self::ShmLock,
    ];

    /// Those that change what is on the disk.
    pub const CHANGING: [Self; 4] = [Self::Write, Self::Truncate, Self::Sync, Self::Delete];

    /// How SQLite's own VFS says that the call failed.
    pub fn failure(self) -> c_int {
        match self {
            Self::Open => ffi::SQLITE_CANTOPEN,
            Self::Read => ffi::SQLITE_IOERR_READ,
            Self::Write | Self::DatabaseWrite => ffi::SQLITE_IOERR_WRITE,
            Self::Truncate => ffi::SQLITE_IOERR_TRUNCATE,
            Self::Sync | Self::DatabaseSync => ffi::SQLITE_IOERR_FSYNC,
            Self::Delete => ffi::SQLITE_IOERR_DELETE,
            Self::FileSize => ffi::SQLITE_IOERR_FSTAT,
            Self::Lock => ffi::SQLITE_IOERR_LOCK,
            Self::ShmMap => ffi::SQLITE_IOERR_SHMMAP,
            Self::ShmLock => ffi::SQLITE_IOERR_SHMLOCK,
        }
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This one fails with this code.
    Once(c_int),
    /// This one and all after it, until [`Storage::heal`].
    FromNowOn(c_int),
    /// The process ends here.
    Abort,
}

struct Plan {
    calls: Vec<Call>,
    /// How many of them still go well.
    left: usize,
    fault: Fault,
}

#[derive(Default)]
struct State {
    log: Vec<Entry>,
    files: HashMap<String, FileId>,
    n_files: usize,
    is_checkpointing: bool,
    plan: Option<Plan>,
    n_failed: usize,
}

/// A folder under watch.
pub struct Storage {
    folder: PathBuf,
    state: Mutex<State>,
}

static WATCHED: Mutex<Vec<Weak<Storage>>> = Mutex::new(Vec::new());

impl Storage {
    /// Watches the databases that are opened in this folder, as long as what is returned is held.
    ///
    /// # Panics
    /// When the folder is not there.
    pub fn watch(folder: &Path) -> Arc<Self> {
        vfs::register();
        let storage = Arc::new(Self {
            folder: folder.canonicalize().expect("a folder that is there"),
            state: Mutex::default(),
        });
        let mut watched = WATCHED.lock();
        watched.retain(|one| one.strong_count() > 0);
        watched.push(Arc::downgrade(&storage));
        storage
    }

    /// The storage that a file belongs to, and the name of the file in it.
    pub(crate) fn of(path: &Path) -> Option<(Arc<Self>, String)> {
        let folder = path.parent()?;
        let name = path.file_name()?.to_str()?.to_owned();
        let watched = WATCHED.lock();
        let found = watched
            .iter()
            .filter_map(Weak::upgrade)
            .find(|one| one.folder == folder);
        found.map(|storage| (storage, name))
    }

    /// From now on the `nth` (from 0) of these calls, counted together, meets `fault`.
    pub fn plan(&self, calls: &[Call], nth: usize, fault: Fault) {
        let mut state = self.state.lock();
        state.n_failed = 0;
        state.plan = Some(Plan {
            calls: calls.to_vec(),
            left: nth,
            fault,
        });
    }

    /// All goes well again. Says how many calls failed since the plan was made.
    pub fn heal(&self) -> usize {
        let mut state = self.state.lock();
        state.plan = None;
        state.n_failed
    }

    /// Writes a note between what was asked for before and what is after.
    pub fn note(&self, note: Note) {
        self.state.lock().log.push(Entry::Note(note));
    }

    /// What was asked for until now.
    pub fn log(&self) -> Vec<Entry> {
        self.state.lock().log.clone()
    }

    pub(crate) fn add(&self, entry: Entry) {
        self.state.lock().log.push(entry);
    }

    pub(crate) fn meet(&self, call: Call) -> Result<(), c_int> {
        let mut state = self.state.lock();
        let Some(plan) = state.plan.as_mut().filter(|plan| plan.calls.contains(&call)) else {
            return Ok(());
        };
        if plan.left > 0 {
            plan.left -= 1;
            return Ok(());
        }
        let code = match plan.fault {
            Fault::Abort => std::process::abort(),
            Fault::FromNowOn(code) => code,
            Fault::Once(code) => {
                state.plan = None;
                code
            }
        };
        state.n_failed += 1;
        Err(code)
    }

    /// Whether a file of this name is to be watched anew.
    pub(crate) fn is_new(&self, name: &str) -> bool {
        !self.state.lock().files.contains_key(name)
    }

    /// A file is opened by its name: which one it is. `was_there`: what is in it since before it was watched.
    pub(crate) fn open(&self, name: &str, was_there: Option<Vec<u8>>) -> FileId {
        let mut state = self.state.lock();
        if let Some(file) = state.files.get(name) {
            return *file;
        }
        let file = state.n_files;
        state.n_files += 1;
        state.files.insert(name.to_owned(), file);
        state.log.push(Entry::Named {
            name: name.to_owned(),
            file,
            safe: was_there,
        });
        file
    }

    pub(crate) fn delete(&self, name: &str, is_safe: bool) {
        let mut state = self.state.lock();
        if state.files.remove(name).is_some() {
            state.log.push(Entry::Deleted {
                name: name.to_owned(),
                is_safe,
            });
        }
    }

    pub(crate) fn checkpoint(&self, is_checkpointing: bool) {
        self.state.lock().is_checkpointing = is_checkpointing;
    }

    pub(crate) fn synced(&self, file: FileId, is_log: bool) {
        let mut state = self.state.lock();
        // NORMAL syncs the log before a checkpoint, and its header before the frames that follow it.
        let is_header = state.log.iter().rev().find_map(|entry| match entry {
            Entry::Written { file: of, offset, .. } if *of == file => Some(*offset == 0),
            _other => None,
        });
        let is_for_commit = is_log && !state.is_checkpointing && is_header != Some(true);
        state.log.push(Entry::Synced { file, is_for_commit });
    }
}
