//! The words: plain data that every stage shares. No files, no clock of its own, no scripts, no tables.
//!
//! A [`ems::Ems`] emits a [`event::NativeEvent`]; parsed it is an [`event::EventHash`], saved it is an
//! [`event::EmsEvent`]. Rules answer it with a [`delivery::Delivery`], whose effects often carry a
//! [`target::TargetCollection`]; a refresh turns targets into [`inventory`] rows.

pub mod ae_path;
pub mod api_call;
pub mod association;
pub mod clock;
pub mod counted_time;
pub mod delivery;
pub mod ems;
pub mod envelope;
pub mod event;
pub mod event_group;
mod event_key;
pub mod event_outcome;
pub mod event_span;
pub mod fired;
pub mod flood;
pub mod histogram;
pub mod inventory;
pub mod json;
pub mod metric;
pub mod odd_bytes;
pub mod origin;
pub mod records;
pub mod relation;
pub mod rule_tree;
pub mod target;
pub mod unseen;
pub mod value;
pub mod written_time;
