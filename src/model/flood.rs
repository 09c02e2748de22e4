//! Flood: equal events beyond a rate are decided together. The mark that the catcher puts on such an event, and the
//! summary that the one decision sees.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::clock::Timestamp;
use crate::model::event::EventHash;
use crate::model::event::EventId;
use crate::model::value::Value;

/// The key of the event hash under which both stand; rules read `event.flood`.
pub const FLOOD: &str = "flood";

/// What the catcher knows of an event beyond the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark<'a> {
    /// Until then it waits for its like.
    pub until: Timestamp,
    /// Equal for equal events.
    pub digest: &'a str,
}

impl Mark<'_> {
    /// Marks an event.
    pub fn put_on(self, hash: &mut EventHash) {
        let mark = BTreeMap::from([
            (Arc::from("until"), Value::Time(self.until)),
            (Arc::from("digest"), Value::text(self.digest)),
        ]);
        hash.attributes
            .insert(Arc::from(FLOOD), Value::Map(Arc::new(mark)));
    }

    /// The mark of an event. No script can make one: what it calls a time is a text here.
    pub fn of(hash: &EventHash) -> Option<Mark<'_>> {
        let Value::Map(mark) = hash.attributes.get(FLOOD)? else {
            return None;
        };
        let Value::Time(until) = mark.get("until")? else {
            return None;
        };
        let digest = mark.get("digest")?.as_str()?;
        Some(Mark {
            until: *until,
            digest,
        })
    }
}

/// What the one decision knows of the others: how many there are, which, and when the first and the last one came.
pub fn summary(ids: &[EventId], first: Timestamp, last: Timestamp) -> Value {
    let ids = ids.iter().map(|id| Value::Int(id.0));
    let ids: Vec<Value> = ids.collect();
    let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    Value::Map(Arc::new(BTreeMap::from([
        (Arc::from("count"), Value::Int(count)),
        (Arc::from("first"), Value::Time(first)),
        (Arc::from("last"), Value::Time(last)),
        (Arc::from("ids"), Value::list(ids)),
    ])))
}
