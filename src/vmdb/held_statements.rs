//! Statements that are held prepared while one piece of work asks or executes them many times.

use std::cell::RefCell;
use std::fmt;

use rusqlite::CachedStatement;
use rusqlite::Connection;

use crate::vmdb::VmdbError;

/// By their texts, of which each stands at one place: there are few, and no text need be compared.
#[derive(Default)]
pub(crate) struct HeldStatements<'a>(RefCell<Vec<(&'static str, CachedStatement<'a>)>>);

impl<'a> HeldStatements<'a> {
    /// Uses a statement, which is prepared where it is not held yet, and holds it. None is used within `work`.
    ///
    /// # Errors
    /// When it cannot be prepared, or as `work` says.
    pub(crate) fn with<T>(
        &self,
        connection: &'a Connection,
        sql: &'static str,
        work: impl FnOnce(&mut CachedStatement<'a>) -> Result<T, VmdbError>,
    ) -> Result<T, VmdbError> {
        let mut held = self.0.borrow_mut();
        let known = held.iter_mut().find(|(known, _)| std::ptr::eq(*known, sql));
        if let Some((_, statement)) = known {
            return work(statement);
        }
        let mut statement = connection.prepare_cached(sql)?;
        let done = work(&mut statement);
        held.push((sql, statement));
        done
    }
}

impl fmt::Debug for HeldStatements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeldStatements")
    }
}
