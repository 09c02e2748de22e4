//! What the crash tests are made of: a real process that dies, those who send to it, and who looks afterwards.

mod ledger;
mod oracle;
mod process;
mod rules;
mod trial;

pub(crate) use trial::Trial;
