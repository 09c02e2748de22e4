//! Every test that needs more than one module: one binary, so that it links once.

<<<<<<< HEAD
mod cli;
=======
mod diagnostics;
mod diagnostics_across_files;
>>>>>>> h2
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
