//! Every test that needs more than one module: one binary, so that it links once.

mod reload_watch;
mod sandbox;
mod settings;
mod source_tree;
mod tidy;
