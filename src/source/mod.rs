//! The two trees of text that users own, and what is wrong in them. Knows nothing of what the text means.

mod beneath;
mod changes;
pub mod diagnostic;
pub mod difference;
mod disk;
mod file;
pub mod locate;
mod origin;
pub mod suggest;
pub mod text;
pub mod tree;
pub(crate) mod yaml;

pub use changes::TreeChanges;
pub use diagnostic::{Diagnostic, Severity};
pub(crate) use file::is_skipped;
pub use file::{Root, RootKind, SourceFile};
pub use tree::SourceTree;
