//! The pages, drawn here: a browser shows them without a script. One folder or file a page.

mod keys;
pub(crate) mod problem;
pub(crate) mod shell;
pub(crate) mod visitor;
pub(crate) mod words;
