//! The sentence that says what state an object is in, since when, and after what.

use maud::Markup;
use maud::html;

use crate::model::clock::Timestamp;
use crate::model::json::Value;
use crate::vmdb::ChangeCause;
use crate::vmdb::ExplainedChange;
use crate::vmdb::ListedObject;
use crate::web::pages::changes;
use crate::web::pages::links;
use crate::web::pages::resource::story::ResourceStory;
use crate::web::pages::words;
use crate::web::pages::words::Zone;

/// Attributes that say what state something is in, the best first.
const STATES: [&str; 5] = ["power_state", "state", "status", "raw_power_state", "raw_status"];

/// The sentence.
pub(crate) fn sentence(story: &ResourceStory, zone: &Zone, now: Timestamp) -> Markup {
    let at = |at: Timestamp| zone.element(at, &zone.moment(at, now));
    html! {
        p.verdict {
            @match &story.object {
                None => {
                    strong { "Not in the inventory." } " "
                    (words::counted(story.mentions.all, "event speaks", "events speak"))
                    " of it; no refresh has brought it, or it was purged."
                }
                Some(object) => {
                    @match (object.archived_on, state(object)) {
                        (Some(gone), _) => { strong { "Gone" } " since " (at(gone)) (after(story.changes.first())) "." },
                        (None, Some((field, value))) => (since(story, field, value, &at)),
                        (None, None) => { strong { "In the inventory" } ", last changed at " (at(object.updated_at)) (after(story.changes.first())) "." },
                    }
                    @if let Some(read) = story.read_at { " Last read " (ago(read, zone, now)) "." }
                }
            }
        }
    }
}

fn ago(time: Timestamp, zone: &Zone, now: Timestamp) -> Markup {
    zone.element(time, &words::ago(time, now))
}

/// The attribute that says its state.
pub(crate) fn state(object: &ListedObject) -> Option<(&'static str, &Value)> {
    STATES.into_iter().find_map(|field| {
        let value = object.attributes.get(field).filter(|value| value.is_string())?;
        Some((field, value))
    })
}

fn since(story: &ResourceStory, field: &str, value: &Value, at: &dyn Fn(Timestamp) -> Markup) -> Markup {
    let moved = |explained: &&ExplainedChange| {
        let change = &explained.change;
        let of = |side: &Option<Value>| side.as_ref().and_then(|side| side.get(field)).cloned();
        of(&change.before) != of(&change.after)
    };
    let mut moves = story.changes.iter().filter(moved);
    let (last, before) = (moves.next(), moves.next());
    let capital = capital(value);
    html! {
        strong { (words::foreign(&capital)) }
        @if let Some(last) = last {
            " since " (at(last.change.changed_at)) (after(Some(last))) "."
            @let was = last.change.before.as_ref().and_then(|before| before.get(field));
            @if let (Some(was), Some(before)) = (was, before) {
                " Before that it was " (changes::value(Some(was))) " for "
                (words::duration(last.change.changed_at.duration_since(before.change.changed_at))) "."
            }
        } @else { "." }
    }
}

fn capital(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// `, after StopInstances`, where an event told of it.
fn after(change: Option<&ExplainedChange>) -> Markup {
    html! {
        @if let Some(ChangeCause::Event { event, event_type, .. }) = change.map(|change| &change.cause) {
            ", after "
            @match event_type {
                Some(event_type) => a.mono href=(links::event(*event)) { (words::machine_name(event_type)) },
                None => { "event " (event.0) },
            }
        }
    }
}
