//! All tests through the public face, in one binary.

mod handler;
mod queue_model;
mod support;
mod vmdb;
