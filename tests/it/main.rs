//! Every test that needs more than one module: one binary, so that it links once.

mod handler;
mod handler_relations;
mod queue_model;
mod reference;
mod reload_watch;
mod sandbox;
mod script_calls;
mod settings;
mod source_tree;
mod support;
mod tidy;
mod vmdb;
