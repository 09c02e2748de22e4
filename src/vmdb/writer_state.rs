//! What the writer keeps in memory from one transaction to the next, in step with the database.

use rusqlite::Connection;

use crate::vmdb::VmdbError;
use crate::vmdb::digest_index::DigestIndex;
use crate::vmdb::event_keys;
use crate::vmdb::event_refs;

/// What the writer keeps in memory from one transaction to the next.
#[derive(Debug)]
pub(crate) struct WriterState {
    pub(crate) next_id: i64,
    /// Only for the process that writes events.
    pub(crate) indexes: Option<Indexes>,
}

/// The indexes on digests.
#[derive(Debug)]
pub(crate) struct Indexes {
    /// Of keys.
    pub(crate) keys: DigestIndex,
    /// Of the objects that events are about.
    pub(crate) refs: DigestIndex,
}

impl WriterState {
    /// Reads what the process that serves has to know.
    pub(crate) fn load(connection: &Connection, serves: bool) -> Result<Self, VmdbError> {
        let load = || {
            Ok::<_, VmdbError>(Indexes {
                keys: DigestIndex::load(connection, event_keys::TABLES)?,
                refs: DigestIndex::load(connection, event_refs::TABLES)?,
            })
        };
        Ok(Self {
            next_id: 1,
            indexes: serves.then(load).transpose()?,
        })
    }

    /// Each index.
    pub(crate) fn each(&mut self) -> impl Iterator<Item = &mut DigestIndex> {
        self.indexes
            .iter_mut()
            .flat_map(|indexes| [&mut indexes.keys, &mut indexes.refs])
    }

    /// At the end of a transaction, before it is committed.
    pub(crate) fn write(&mut self, connection: &Connection) -> Result<(), VmdbError> {
        self.each().try_for_each(|index| index.write(connection))
    }

    /// After a commit.
    pub(crate) fn settle(&mut self) {
        self.each().for_each(DigestIndex::settle);
    }

    /// After a rollback.
    pub(crate) fn undo(&mut self) {
        self.each().for_each(|index| index.undo(0));
    }
}
