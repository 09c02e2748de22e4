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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::Fold;
    use super::delivery;
    use super::fold;
    use super::follows;
    use crate::model::clock::Timestamp;
    use crate::model::delivery::Outcome;
    use crate::model::ems::Ems;
    use crate::model::ems::EmsId;
    use crate::model::event::EventHash;
    use crate::model::event::EventId;
    use crate::model::event::FullData;
    use crate::model::flood::Mark;
    use crate::model::value::Value;
    use crate::vmdb::Message;
    use crate::vmdb::MessageId;
    use crate::vmdb::Ticket;
    use crate::vmdb::Work;

    /// Manager, lane, type, and digest where it is one of a flood.
    type Row = (i64, Option<&'static str>, &'static str, Option<&'static str>);

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn message(id: i64, (ems_id, lane, event_type, digest): Row, received_at: i64) -> Message {
        let mut hash = EventHash {
            event_type: event_type.into(),
            source: "TEST".into(),
            event_key: None,
            ems_ref: None,
            timestamp: None,
            attributes: BTreeMap::new(),
            full_data: FullData::new("{}"),
        };
        if let Some(digest) = digest {
            let until = second(60);
            Mark { until, digest }.put_on(&mut hash);
        }
        let ems_id = EmsId(ems_id);
        Message {
            ticket: Ticket {
                id: MessageId(id),
                ems_id,
                lane: lane.map(Arc::from),
                holder: None,
            },
            ems: Arc::new(Ems {
                id: ems_id,
                name: "cloud".into(),
                provider: "test".into(),
                url: None,
                credentials: None,
                enabled: true,
            }),
            received_at: second(received_at),
            attempts: 0,
            work: Work::Add(hash),
        }
    }

    fn of<'a>(flood: &'a Value, key: &str) -> &'a Value {
        let Value::Map(flood) = flood else {
            panic!("{flood:?}")
        };
        &flood[key]
    }

    #[test]
    fn equal_events_of_a_flood_are_decided_together_unless_something_of_their_lane_lies_between() {
        let plain = (1, Some("a"), "t", None);
        let x = (1, Some("a"), "t", Some("x"));
        let x_of_no_lane = (1, None, "t", Some("x"));
        // With which of them each is decided: 0 where it is no flood's, its own number where it leads.
        let table: &[(&[Row], &[i64])] = &[
            (&[plain, plain], &[0, 0]),
            (&[x], &[1]),
            (&[x, x, x], &[1, 1, 1]),
            (&[plain, x, x, plain], &[0, 2, 2, 0]),
            (&[x, plain, x, x], &[1, 0, 3, 3]),
            // Another flood is something else, too; so is one that an event comes back to.
            (&[x, (1, Some("a"), "t", Some("y")), x], &[1, 2, 3]),
            (&[x, (1, Some("a"), "u", Some("x")), x], &[1, 2, 3]),
            // What is of another lane, or of none, lies beside it.
            (&[x, (1, Some("b"), "t", None), x], &[1, 0, 1]),
            (&[x, (1, None, "t", None), x_of_no_lane, x], &[1, 0, 3, 1]),
            (&[x, (1, Some("b"), "t", Some("x")), x], &[1, 2, 1]),
            // Where there are no lanes nothing lies between.
            (&[x_of_no_lane, (1, None, "t", None), x_of_no_lane], &[1, 0, 1]),
            // Manager, type and digest are all the same, or it is another one.
            (&[x_of_no_lane, (2, None, "t", Some("x"))], &[1, 2]),
            (&[x_of_no_lane, (1, None, "u", Some("x"))], &[1, 2]),
            (&[x_of_no_lane, (1, None, "t", Some("y"))], &[1, 2]),
        ];
        for (rows, expected) in table {
            let messages: Vec<Message> = (1..).zip(*rows).map(|(id, row)| message(id, *row, 0)).collect();
            let with = (1..).zip(fold(&messages)).map(|(id, fold)| match fold {
                Fold::Alone => 0,
                Fold::Leads(_) => id,
                Fold::Follows(leader) => leader.0,
            });
            assert_eq!(&with.collect::<Vec<_>>(), expected, "{rows:?}");
        }
    }

    #[test]
    fn the_one_that_leads_knows_all_of_them_and_when_the_first_and_the_last_came() {
        let row = (1, None, "t", Some("x"));
        let messages = [(7, 5), (8, 3), (9, 9), (10, 4)].map(|(id, at)| message(id, row, at));
        let folds = fold(&messages);
        let Some(Fold::Leads(flood)) = folds.first() else {
            panic!("{folds:?}")
        };
        assert_eq!(of(flood, "count"), &Value::Int(4));
        assert_eq!(
            of(flood, "ids"),
            &Value::list([7, 8, 9, 10].map(Value::Int).to_vec())
        );
        assert_eq!(of(flood, "first"), &Value::Time(second(3)));
        assert_eq!(of(flood, "last"), &Value::Time(second(9)));
    }

    #[test]
    fn one_that_follows_says_whom_and_asks_for_nothing() {
        assert_eq!(of(&follows(EventId(7)), "folded_into"), &Value::Int(7));
        let delivery = delivery(EventId(7));
        assert!(delivery.effects.is_empty() && delivery.errors.is_empty());
        let [step] = &*delivery.trace.steps else {
            panic!("{delivery:?}")
        };
        assert_eq!(step.outcome, Outcome::Skipped);
        assert!(step.why.as_ref().unwrap().ends_with("with event 7"), "{step:?}");
    }
}
