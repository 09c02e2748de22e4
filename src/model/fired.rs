//! What became of one instance that a run built: what rules are counted by.

use std::sync::Arc;

/// All of a budget, in thousandths.
pub const WHOLE_BUDGET: u16 = 1_000;

/// One instance that a run built from the datastore, and how that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// `/Domain/Namespace/Class/Instance`, spelled as in the files.
    pub instance: Arc<str>,
    /// How it ended.
    pub end: FiredEnd,
    /// The largest share of its script budget that one of its method calls used, in thousandths of the operations
    /// that are allowed.
    pub budget: u16,
}

/// How an instance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FiredEnd {
    /// Its fields ran.
    Ran,
    /// One of its assertions was not true.
    Stopped,
    /// An error arose in it. What it was a part of may have gone on.
    Failed,
}
