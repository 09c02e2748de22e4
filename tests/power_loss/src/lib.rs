//! What the database asked of the storage, and whether it asked for enough.
//!
//! Killing a process proves nothing about the disk: what was written is in the memory of the system and outlives the
//! process, synced or not. So this crate stands between SQLite and the files, writes down what is asked for, and makes
//! of that what a disk might hold after the power is cut; or lets a call fail, or the process end at it.
//!
//! - [`vfs`] stands in for the default VFS of SQLite, so that the program runs as it is
//! - [`storage`] is a folder under watch: the log of what was asked, and the faults that are planned
//! - [`disk`] is a disk that follows a log: what is safe, what is not yet, and images of what might be left
//! - [`work`] is what the database is made to do, and [`ledger`] what was promised about it
//! - [`oracle`] looks whether a database keeps what was promised

pub mod disk;
pub mod ledger;
pub mod oracle;
pub mod random;
pub mod storage;
mod vfs;
pub mod work;
