//! The state of an object as a band over its lanes: when it was on, off, or something else.

use maud::Markup;
use maud::html;

use crate::model::clock::Timestamp;
use crate::model::json::Value;
use crate::vmdb::ExplainedChange;
use crate::web::pages::resource::state;
use crate::web::pages::resource::story::ResourceStory;
use crate::web::pages::timeline::Axis;
use crate::web::pages::words;

/// A part of the band wide enough for its word, in per cent.
const ROOM: f64 = 6.0;

/// A state for a while.
#[derive(Debug, PartialEq)]
struct Period {
    from: Timestamp,
    to: Timestamp,
    /// None while it was not there.
    state: Option<String>,
}

/// The lane; nothing where no attribute says a state.
pub(crate) fn lane(story: &ResourceStory, axis: Axis) -> Markup {
    let Some(object) = &story.object else {
        return html! {};
    };
    let Some((field, now)) = state::state(object) else {
        return html! {};
    };
    let periods = periods(&story.changes, field, axis);
    let percent = |time: Timestamp| {
        #[expect(clippy::cast_precision_loss, reason = "a place on a screen")]
        let second = time.as_millisecond() as f64 / 1_000.0;
        axis.part(second) * 100.0
    };
    let is_there = object.archived_on.is_none();
    let said = now.as_str().filter(|_| is_there).unwrap_or("gone");
    html! {
        div."lane state" {
            span.lane-name { (words::foreign(&field.replace('_', " "))) }
            svg.plot width="100%" height="30" role="img" aria-label={ (field) ", now " (said) } {
                @for period in &periods {
                    @let (start, end) = (percent(period.from), percent(period.to));
                    @if let Some(state) = &period.state {
                        rect class=(class(state)) x=(format!("{start:.2}%")) width=(format!("{:.2}%", (end - start).max(0.0))) y="8" height="14" {
                            title { (words::foreign_up_to(state, 40)) }
                        }
                        @if ROOM < end - start && class(state) == "on" {
                            text.in x=(format!("{:.2}%", start + 0.6)) y="19" { (words::foreign_up_to(state, 12)) }
                        }
                    }
                }
            }
            span.lane-n { (words::foreign_up_to(said, 20)) }
        }
    }
}

fn class(state: &str) -> &'static str {
    match &*state.to_lowercase() {
        "on" | "running" | "up" | "active" | "available" | "ok" | "connected" => "on",
        "off" | "stopped" | "down" | "terminated" | "inactive" | "disconnected" => "off",
        _other => "sus",
    }
}

/// The periods within the axis, by the changes that are known, which come last first.
fn periods(changes: &[ExplainedChange], field: &str, axis: Axis) -> Vec<Period> {
    let of = |side: &Option<Value>| side.as_ref()?.get(field)?.as_str().map(str::to_owned);
    let mut periods: Vec<Period> = Vec::new();
    let mut end = axis.to;
    let mut before = None;
    for explained in changes {
        let change = &explained.change;
        let at = change.changed_at.clamp(axis.from, axis.to);
        let after = if change.change == "archived" {
            None
        } else {
            of(&change.after)
        };
        before = Some(if change.change == "created" {
            None
        } else {
            of(&change.before)
        });
        add(&mut periods, at, end, after);
        end = at;
    }
    if let Some(before) = before.flatten() {
        add(&mut periods, axis.from, end, Some(before));
    }
    periods.reverse();
    periods
}

/// Adds a period before the others; one that is like its neighbour makes that longer.
fn add(periods: &mut Vec<Period>, from: Timestamp, to: Timestamp, state: Option<String>) {
    if to <= from {
        return;
    }
    match periods
        .last_mut()
        .filter(|next| next.state == state && next.from == to)
    {
        Some(next) => next.from = from,
        None => periods.push(Period { from, to, state }),
    }
}

#[cfg(test)]
mod tests {
    use crate::model::json::json;

    use super::*;
    use crate::vmdb::ChangeCause;
    use crate::vmdb::ObjectChange;

    fn change(at: &str, change: &str, before: Value, after: Value) -> ExplainedChange {
        let some = |side: Value| Some(side).filter(|side| !side.is_null());
        ExplainedChange {
            change: ObjectChange {
                event: None,
                id: 1,
                refresh: None,
                changed_at: at.parse().unwrap(),
                change: change.to_owned(),
                before: some(before),
                after: some(after),
            },
            cause: ChangeCause::Unknown,
        }
    }

    #[test]
    fn a_state_lasts_until_the_next_one_and_ends_with_the_object() {
        let (on, off) = (json!({"power_state": "on"}), json!({"power_state": "off"}));
        let renamed = json!({"power_state": "off", "name": "b"});
        let changes = [
            change("2026-03-14T18:00:00Z", "archived", renamed.clone(), Value::Null),
            change("2026-03-14T15:00:00Z", "updated", off.clone(), renamed),
            change("2026-03-14T12:00:00Z", "updated", on.clone(), off),
            change("2026-03-01T00:00:00Z", "created", Value::Null, on),
        ];
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let axis = Axis {
            from: at("2026-03-14T00:00:00Z"),
            to: at("2026-03-15T00:00:00Z"),
        };
        let period = |from: &str, to: &str, state: Option<&str>| Period {
            from: at(from),
            to: at(to),
            state: state.map(str::to_owned),
        };
        let expected = vec![
            period("2026-03-14T00:00:00Z", "2026-03-14T12:00:00Z", Some("on")),
            period("2026-03-14T12:00:00Z", "2026-03-14T18:00:00Z", Some("off")),
            period("2026-03-14T18:00:00Z", "2026-03-15T00:00:00Z", None),
        ];
        assert_eq!(periods(&changes, "power_state", axis), expected);
    }
}
