//! That the database asks the disk to keep what it promises, and says so when the disk does not.

mod faults;
mod power;
#[path = "../../it/queue_model.rs"]
mod queue_model;
mod scratch;
mod support;
