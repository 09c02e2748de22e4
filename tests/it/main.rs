//! Every test that needs more than one module: one binary, so that it links once.

mod bad_input;
mod catcher;
mod catcher_files;
mod cli;
mod conformance;
mod corpus;
mod diagnostics;
mod diagnostics_across_files;
mod docs;
mod engine_corpus;
mod handler;
mod handler_relations;
mod incremental_load;
mod queue_model;
mod reference;
mod reload_watch;
mod sandbox;
mod script_calls;
mod serve;
mod settings;
mod source_tree;
mod support;
mod tidy;
mod vmdb;
mod web;
