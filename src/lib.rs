//! An event switchboard: cloud events in, targeted refreshes out, rules in between.

pub mod model;
pub mod source;
mod script;
mod provider;
pub mod switchboard;
pub mod vmdb;
pub mod handler;
