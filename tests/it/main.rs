//! Every test that needs more than one module: one binary, so that it links once.

mod aws_events;
mod conformance;
mod corpus;
mod engine_corpus;
mod exceptions;
mod findings;
mod handler;
mod properties;
mod queue_model;
mod reload_watch;
mod settings;
mod source_tree;
mod support;
mod tidy;
mod vmdb;
