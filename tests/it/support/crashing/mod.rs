//! What the crash tests are made of: a real process that dies, those who send to it, and who looks afterwards.
#![expect(clippy::indexing_slicing, reason = "tests")]

mod ledger;
mod oracle;
mod process;
mod rules;
mod trial;

pub(crate) use process::PATIENCE;
pub(crate) use process::Process;
pub(crate) use trial::ABORTED;
pub(crate) use trial::Trial;
pub(crate) use trial::entry;
