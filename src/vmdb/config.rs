//! VmdbConfig: how the process that serves a database looks after it.

use std::time::Duration;

/// How the process that serves a database looks after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmdbConfig {
    /// The size of the file that is deleted when the disk is full, so that what was accepted can be finished, in
    /// bytes; 0 for none.
    pub reserve: u64,
    /// What the write-ahead log must not grow beyond, in bytes. At three quarters of it readers that keep it from
    /// being emptied are ended.
    pub log_limit: u64,
    /// A database larger than this, in bytes, is checked while it is used rather than before.
    pub checked_at_once: u64,
    /// How often the room on the disk is looked at, and whether the disk works again.
    pub tick: Duration,
    /// How long nothing has been written when the log is emptied.
    pub idle: Duration,
    /// Whether the database may be on a network or user-space file system, which SQLite's locks do not work over.
    pub unsafe_filesystem: bool,
}

impl Default for VmdbConfig {
    fn default() -> Self {
        Self {
            reserve: 0,
            log_limit: 64 << 20,
            checked_at_once: 1 << 30,
            tick: Duration::from_secs(1),
            idle: Duration::from_secs(10),
            unsafe_filesystem: false,
        }
    }
}
