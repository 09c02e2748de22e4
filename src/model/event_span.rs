//! Spans: one event on its way, for logs and traces. Nothing is written or kept where nobody listens for them.
//!
//! `catch` is from the message to the disk, `handle` from the queue to the commit; within it stand `decide`, the
//! rules, and `commit`. The event's number ties the two together, also across a restart.

use tracing::Level;
use tracing::Span;
use tracing::field::Empty;
use tracing::span;

use crate::model::delivery::RulesId;
use crate::model::event::EventId;

/// What a filter names to have them: `RUST_LOG=info,switchboard::event=debug`.
pub const TARGET: &str = "switchboard::event";

/// A message is parsed and put on the queue; [`caught`] tells the rest once it is known.
pub fn catch(ems: &str, rules_id: RulesId) -> Span {
    span!(
        target: TARGET,
        Level::DEBUG,
        "catch",
        event_id = Empty,
        ems,
        event_type = Empty,
        %rules_id,
    )
}

/// Tells of what type a caught event is.
pub fn is_of_type(span: &Span, event_type: &str) {
    span.record("event_type", event_type);
}

/// Tells which number a caught event has.
pub fn caught(span: &Span, event: EventId) {
    span.record("event_id", event.0);
}

/// A message in hand, until what was made of it is on the disk.
pub fn handle(event: EventId, ems: &str, event_type: Option<&str>, rules_id: RulesId) -> Span {
    span!(
        target: TARGET,
        Level::DEBUG,
        "handle",
        event_id = event.0,
        ems,
        event_type,
        %rules_id,
    )
}

/// The rules run.
pub fn decide() -> Span {
    span!(target: TARGET, Level::DEBUG, "decide")
}

/// What was made of a message in hand is on its way to the disk.
pub fn commit(handle: &Span) -> Span {
    match handle.is_disabled() {
        true => Span::none(),
        false => span!(target: TARGET, parent: handle, Level::DEBUG, "commit"),
    }
}
