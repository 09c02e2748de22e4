//! Every test that needs more than one module: one binary, so that it links once.

mod api;
#[path = "../../examples/awesome_cloud/cloud/mod.rs"]
#[expect(dead_code, reason = "the example uses the rest")]
mod awesome_cloud;
mod aws_events;
mod backup;
mod bad_input;
mod catcher;
mod catcher_files;
mod cli;
mod collector;
mod conformance;
mod corpus;
mod diagnostics;
mod diagnostics_across_files;
mod disk;
mod docs;
mod engine_corpus;
mod exceptions;
mod findings;
mod flood;
mod handler;
mod handler_relations;
mod incremental_load;
mod inventory;
mod live;
mod loss_points;
#[cfg(feature = "opentelemetry")]
mod opentelemetry;
mod outbound;
mod outbox;
mod outbox_kinds;
mod pipeline_conformance;
mod properties;
mod purge;
mod queue_model;
mod reference;
mod refresh;
mod refresh_queue;
mod reliability;
mod reload;
mod reload_watch;
mod sandbox;
mod script_calls;
mod serve;
mod settings;
mod source_tree;
mod support;
mod telemetry;
mod tidy;
mod traces;
mod verify;
mod verify_outside;
mod vmdb;
mod web;
