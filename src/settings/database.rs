//! `database`: how the database is looked after. Where it is, is told on the command line.

use crate::settings::section::Section;
use crate::settings::value::size;
use crate::settings::value::truth;

/// The largest reserve: more than any disk of a database has to spare.
const MAX_RESERVE: usize = 1 << 40;

/// `database`: how the database is looked after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// The size of the file that is given away when the disk is full, in bytes; 0 for none.
    pub reserve: usize,
    /// Whether it may be on a network or user-space file system.
    pub unsafe_filesystem: bool,
}

impl DatabaseSettings {
    pub(crate) fn read(section: Section<'_>) -> Self {
        let database = Self {
            reserve: section
                .value("reserve", size(0..=MAX_RESERVE))
                .unwrap_or_default(),
            unsafe_filesystem: section.value("unsafe_filesystem", truth).unwrap_or_default(),
        };
        section.finish();
        database
    }
}
