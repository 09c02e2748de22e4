//! The VFS that takes the place of SQLite's default one, and does what that does.
//!
//! It is the default itself, so that the program need not know of it. Files of folders that nobody watches pass
//! through untouched. No memory mapping of databases, so that every write comes by.

use std::ffi::CStr;
use std::ffi::OsStr;
use std::ffi::c_int;
use std::ffi::c_void;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering;

use rusqlite::ffi;
use rusqlite::ffi::sqlite3_file;
use rusqlite::ffi::sqlite3_int64;
use rusqlite::ffi::sqlite3_io_methods;
use rusqlite::ffi::sqlite3_vfs;

use crate::storage::Call;
use crate::storage::Entry;
use crate::storage::FileId;
use crate::storage::Storage;

/// The lock on the index of the log that a checkpoint holds: `WAL_CKPT_LOCK` of SQLite's `wal.c`.
const CHECKPOINT_LOCK: c_int = 1;

static REAL: AtomicPtr<sqlite3_vfs> = AtomicPtr::new(ptr::null_mut());
static REGISTERED: OnceLock<()> = OnceLock::new();

/// What SQLite holds as a file. The file of the real VFS follows it in memory.
#[repr(C)]
struct File {
    base: sqlite3_file,
    /// Null where nobody watches.
    watched: *mut Watched,
}

struct Watched {
    storage: Arc<Storage>,
    file: FileId,
    is_log: bool,
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Makes it the default, once in the life of the process.
pub(crate) fn register() {
    REGISTERED.get_or_init(|| {
        // SAFETY: the default VFS lives as long as the process. Ours is a copy of it that is never freed, with the
        // calls replaced that are to be seen; the others find in the copy all that they look for.
        unsafe {
            assert_eq!(ffi::sqlite3_initialize(), ffi::SQLITE_OK);
            let real = ffi::sqlite3_vfs_find(ptr::null());
            assert!(!real.is_null());
            REAL.store(real, Ordering::SeqCst);
            let mut ours = ptr::read(real);
            ours.iVersion = 2;
            ours.szOsFile += size_of::<File>() as c_int;
            ours.zName = c"watched".as_ptr();
            ours.pNext = ptr::null_mut();
            ours.xOpen = Some(open);
            ours.xDelete = Some(delete);
            let ours = Box::into_raw(Box::new(ours));
            assert_eq!(ffi::sqlite3_vfs_register(ours, 1), ffi::SQLITE_OK);
        }
    });
}

fn real_vfs() -> *mut sqlite3_vfs {
    REAL.load(Ordering::SeqCst)
}

/// # Safety
/// `file` was opened by [`open`].
unsafe fn real(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: `szOsFile` has room for both, one behind the other; `File` is as aligned as a pointer is.
    unsafe { file.cast::<File>().add(1).cast() }
}

/// # Safety
/// `file` was opened by [`open`], and is not closed while the answer is used.
unsafe fn watched<'a>(file: *mut sqlite3_file) -> Option<&'a Watched> {
    // SAFETY: set by `open`, freed by `close`.
    unsafe { (*file.cast::<File>()).watched.as_ref() }
}

/// Calls a method of the real file.
macro_rules! pass {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        let real = real($file);
        let method = (*(*real).pMethods).$method.expect("a method of the default VFS");
        method(real $(, $argument)*)
    }};
}

/// Asks the plan first whether the call fails.
macro_rules! meet {
    ($file:expr, $call:expr) => {
        if let Some(watched) = watched($file)
            && let Err(code) = watched.storage.meet($call)
        {
            return code;
        }
    };
}

/// The same for a call that has a name of its own where it is not about the log.
fn met(watched: &Watched, call: Call, of_database: Call) -> Result<(), c_int> {
    watched.storage.meet(call)?;
    if watched.is_log {
        return Ok(());
    }
    watched.storage.meet(of_database)
}

unsafe fn path<'a>(name: *const std::ffi::c_char) -> Option<&'a Path> {
    // SAFETY: a text with an end, or null, as SQLite promises.
    (!name.is_null()).then(|| Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes())))
}

unsafe extern "C" fn open(
    _vfs: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives memory of the size that we asked for, and closes a file once, where it has methods.
    unsafe {
        let ours = file.cast::<File>();
        (*ours).base.pMethods = ptr::null();
        (*ours).watched = ptr::null_mut();
        (*real(file)).pMethods = ptr::null();
        let storage = path(name).and_then(Storage::of);
        if let Some((storage, _)) = &storage
            && let Err(code) = storage.meet(Call::Open)
        {
            return code;
        }
        // Read before SQLite opens it: to close a file that it has open would drop its locks.
        let was_there = match (&storage, path(name)) {
            (Some((storage, name)), Some(path)) if storage.is_new(name) => std::fs::read(path).ok(),
            _other => None,
        };
        let real_open = (*real_vfs()).xOpen.expect("a call of the default VFS");
        let code = real_open(real_vfs(), name, real(file), flags, out_flags);
        if code != ffi::SQLITE_OK {
            return code;
        }
        if let Some((storage, name)) = storage {
            let watched = Watched {
                file: storage.open(&name, was_there),
                storage,
                is_log: flags & ffi::SQLITE_OPEN_WAL != 0,
            };
            (*ours).watched = Box::into_raw(Box::new(watched));
        }
        (*ours).base.pMethods = &METHODS;
        code
    }
}

unsafe extern "C" fn delete(
    _vfs: *mut sqlite3_vfs,
    name: *const std::ffi::c_char,
    sync_folder: c_int,
) -> c_int {
    // SAFETY: passed on as they came.
    unsafe {
        let storage = path(name).and_then(Storage::of);
        if let Some((storage, _)) = &storage
            && let Err(code) = storage.meet(Call::Delete)
        {
            return code;
        }
        let real_delete = (*real_vfs()).xDelete.expect("a call of the default VFS");
        let code = real_delete(real_vfs(), name, sync_folder);
        if code == ffi::SQLITE_OK
            && let Some((storage, name)) = storage
        {
            storage.delete(&name, sync_folder != 0);
        }
        code
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: closed once; what `open` made is freed here.
    unsafe {
        let code = pass!(file, xClose);
        let watched = (*file.cast::<File>()).watched;
        if !watched.is_null() {
            drop(Box::from_raw(watched));
        }
        code
    }
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    into: *mut c_void,
    amount: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: passed on as they came.
    unsafe {
        meet!(file, Call::Read);
        pass!(file, xRead, into, amount, offset)
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    bytes: *const c_void,
    amount: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives as many bytes as it says.
    unsafe {
        let Some(watched) = watched(file) else {
            return pass!(file, xWrite, bytes, amount, offset);
        };
        let met = met(watched, Call::Write, Call::DatabaseWrite);
        // One that fails leaves half of it behind.
        let amount = if met.is_ok() { amount } else { amount / 2 };
        let code = pass!(file, xWrite, bytes, amount, offset);
        if code == ffi::SQLITE_OK && amount > 0 {
            let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), amount as usize);
            watched.storage.add(Entry::Written {
                file: watched.file,
                offset: offset as usize,
                bytes: bytes.to_vec(),
            });
        }
        met.err().unwrap_or(code)
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    // SAFETY: passed on as they came.
    unsafe {
        meet!(file, Call::Truncate);
        let code = pass!(file, xTruncate, size);
        if code == ffi::SQLITE_OK
            && let Some(watched) = watched(file)
        {
            watched.storage.add(Entry::Truncated {
                file: watched.file,
                size: size as usize,
            });
        }
        code
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: passed on as they came.
    unsafe {
        let Some(watched) = watched(file) else {
            return pass!(file, xSync, flags);
        };
        let met = met(watched, Call::Sync, Call::DatabaseSync);
        let code = met.err().unwrap_or_else(|| pass!(file, xSync, flags));
        if code == ffi::SQLITE_OK {
            watched.storage.synced(watched.file, watched.is_log);
        } else {
            watched.storage.add(Entry::SyncFailed { file: watched.file });
        }
        code
    }
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut sqlite3_int64) -> c_int {
    // SAFETY: passed on as they came.
    unsafe {
        meet!(file, Call::FileSize);
        pass!(file, xFileSize, size)
    }
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: passed on as they came.
    unsafe {
        meet!(file, Call::Lock);
        pass!(file, xLock, level)
    }
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: passed on as they came.
    unsafe { pass!(file, xUnlock, level) }
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, found: *mut c_int) -> c_int {
    // SAFETY: passed on as they came.
    unsafe { pass!(file, xCheckReservedLock, found) }
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, what: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: passed on as they came.
    unsafe { pass!(file, xFileControl, what, argument) }
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    // SAFETY: passed on as they came.
    unsafe { pass!(file, xSectorSize) }
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    // A file system with atomic batches writes past the methods that are watched.
    // SAFETY: passed on as they came.
    unsafe { pass!(file, xDeviceCharacteristics) & !ffi::SQLITE_IOCAP_BATCH_ATOMIC }
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    memory: *mut *mut c_void,
) -> c_int {
    // SAFETY: passed on as they came; a call that fails sets the pointer to null, as SQLite's own does.
    unsafe {
        if let Some(watched) = watched(file)
            && let Err(code) = watched.storage.meet(Call::ShmMap)
        {
            *memory = ptr::null_mut();
            return code;
        }
        pass!(file, xShmMap, region, size, extend, memory)
    }
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    // SAFETY: passed on as they came.
    unsafe {
        let takes = flags & ffi::SQLITE_SHM_LOCK != 0;
        if takes {
            meet!(file, Call::ShmLock);
        }
        let is_checkpoint =
            flags & ffi::SQLITE_SHM_EXCLUSIVE != 0 && (offset..offset + count).contains(&CHECKPOINT_LOCK);
        let watched = watched(file).filter(|_| is_checkpoint);
        if let Some(watched) = watched.filter(|_| !takes) {
            watched.storage.checkpoint(false);
        }
        let code = pass!(file, xShmLock, offset, count, flags);
        if let Some(watched) = watched.filter(|_| takes && code == ffi::SQLITE_OK) {
            watched.storage.checkpoint(true);
        }
        code
    }
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: passed on as they came.
    unsafe { pass!(file, xShmBarrier) }
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete_flag: c_int) -> c_int {
    // SAFETY: passed on as they came.
    unsafe { pass!(file, xShmUnmap, delete_flag) }
}
