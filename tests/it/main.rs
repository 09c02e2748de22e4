//! Every test that needs more than one module: one binary, so that it links once.

mod catcher;
mod catcher_files;
mod cli;
mod handler;
mod handler_relations;
mod queue_model;
mod reload_watch;
mod serve;
mod settings;
mod source_tree;
mod support;
mod tidy;
mod vmdb;
mod web;
