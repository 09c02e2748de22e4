//! What is told of every reload: for those who keep a history of it.

use std::fmt;
use std::time::Duration;

use crate::model::clock::Timestamp;
use crate::model::delivery::RulesId;
use crate::source::Diagnostic;
use crate::source::SourceTree;
use crate::source::TreeChanges;
use crate::source::difference;
use crate::switchboard::Switchboard;

/// How many files' texts are compared, and bytes of the whole difference.
const FILES: usize = 50;
const BYTES: usize = 64 << 10;

/// What became of one change of the rules.
#[derive(Clone, Debug)]
pub struct ReloadReport {
    /// When.
    pub at: Timestamp,
    /// The rules until then.
    pub before: RulesId,
    /// The rules from then on; none where they were refused.
    pub after: Option<RulesId>,
    /// Which files made the difference.
    pub changes: TreeChanges,
    /// Their text, as a unified diff, secrets masked.
    pub difference: String,
    /// Why they were refused.
    pub findings: Vec<Diagnostic>,
    /// How long it took.
    pub took: Duration,
}

/// Whoever keeps reports; called before the next change is looked at.
pub struct Reports(pub Box<dyn Fn(ReloadReport) + Send>);

impl fmt::Debug for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reports")
    }
}

/// The difference in text of the files that are in both trees, the first of them.
pub(crate) fn difference(
    changes: &TreeChanges,
    old: (&SourceTree, &Switchboard),
    new: (&SourceTree, &Switchboard),
) -> String {
    let text = |(tree, rules): (&SourceTree, &Switchboard), path: &str| {
        let file = tree.files().iter().find(|file| *file.path == *path);
        file.map(|file| rules.shown_text(file)).unwrap_or_default()
    };
    // What is only in one of the trees differs in all of its text: its name says enough.
    let paths = changes.changed.iter();
    let mut whole = String::new();
    for path in paths.take(FILES) {
        if BYTES < whole.len() {
            break;
        }
        whole.push_str(&difference::unified(path, &text(old, path), &text(new, path)));
    }
    whole
}
