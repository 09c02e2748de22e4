//! The two trees of text that users own, and what is wrong in them. Knows nothing of what the text means.

pub mod diagnostic;
pub mod suggest;
pub mod tree;

pub use diagnostic::{Diagnostic, Severity};
pub use tree::{Root, RootKind, SourceFile, SourceTree};
