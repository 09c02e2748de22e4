//! Equal events of a flood in one batch: the first is decided and knows of the others, each of which is saved.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::delivery::Delivery;
use crate::model::delivery::Outcome;
use crate::model::delivery::Step;
use crate::model::delivery::StepKind;
use crate::model::delivery::Trace;
use crate::model::ems::EmsId;
use crate::model::event::EventId;
use crate::model::flood;
use crate::model::flood::Mark;
use crate::model::value::Value;
use crate::vmdb::Message;
use crate::vmdb::Work;

/// How a message of a batch is decided.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fold {
    /// By itself.
    Alone,
    /// For its like too; what it knows of them.
    Leads(Value),
    /// With this event.
    Follows(EventId),
}

/// How each message of a batch is decided.
pub(crate) fn fold(messages: &[Message]) -> Vec<Fold> {
    // What of the same lane came between them keeps them apart: it is decided in its place.
    let mut groups: BTreeMap<_, Vec<&Message>> = BTreeMap::new();
    let mut latest: BTreeMap<&str, (Option<Kind<'_>>, usize)> = BTreeMap::new();
    for message in messages {
        let kind = kind(message);
        let run = message.ticket.lane().map(|lane| {
            let (before, run) = latest.entry(lane).or_default();
            *run += usize::from(*before != kind);
            *before = kind;
            (lane, *run)
        });
        if let Some(kind) = kind {
            groups.entry((kind, run)).or_default().push(message);
        }
    }
    let mut folds: BTreeMap<EventId, Fold> = BTreeMap::new();
    for group in groups.into_values() {
        let ids: Vec<EventId> = group.iter().map(|message| message.ticket.event_id()).collect();
        let times = || group.iter().map(|message| message.received_at);
        let (Some(leader), Some(first), Some(last)) = (ids.first().copied(), times().min(), times().max())
        else {
            continue;
        };
        let others = ids.iter().map(|id| (*id, Fold::Follows(leader)));
        folds.extend(others);
        folds.insert(leader, Fold::Leads(flood::summary(&ids, first, last)));
    }
    let fold = |message: &Message| folds.remove(&message.ticket.event_id()).unwrap_or(Fold::Alone);
    messages.iter().map(fold).collect()
}

/// Manager, type and digest of an event of a flood.
type Kind<'a> = (EmsId, &'a str, &'a str);

fn kind(message: &Message) -> Option<Kind<'_>> {
    match &message.work {
        Work::Add(hash) => Some((message.ems.id, &*hash.event_type, Mark::of(hash)?.digest)),
        Work::Unparsed(_) | Work::Deliver { .. } | Work::Unreadable(_) => None,
    }
}

/// What stands with an event that was decided with another one.
pub(crate) fn follows(leader: EventId) -> Value {
    let into = (Arc::from("folded_into"), Value::Int(leader.0));
    Value::Map(Arc::new(BTreeMap::from([into])))
}

/// The decision about an event that was decided with another one: nothing more, and the trace says where to look.
pub(crate) fn delivery(leader: EventId) -> Delivery {
    let step = Step {
        kind: StepKind::Instance,
        path: Arc::from("/System/Process/Event"),
        depth: 0,
        file: None,
        line: None,
        field: None,
        written: None,
        value: None,
        outcome: Outcome::Skipped,
        why: Some(
            format!(
                "one of a flood of equal events, decided together with event {}",
                leader.0
            )
            .into(),
        ),
    };
    Delivery {
        trace: Trace {
            steps: vec![step],
            ..Trace::default()
        },
        ..Delivery::default()
    }
}
