//! An event switchboard: cloud events in, targeted refreshes out, rules in between.

pub mod model;
pub mod source;
pub mod switchboard;
pub mod vmdb;
