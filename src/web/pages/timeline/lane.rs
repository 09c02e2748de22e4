//! One lane: bars that are stretched to any width, or a mark for each event.

use std::fmt::Write;

use maud::Markup;
use maud::html;

use crate::model::event::EventId;
use crate::model::event_group::EventLevel;
use crate::model::event_outcome::EventOutcome;
use crate::vmdb::Buckets;
use crate::vmdb::Count;
use crate::web::pages::timeline::axis::Axis;
use crate::web::pages::timeline::axis::float;
use crate::web::pages::timeline::axis::precise;
use crate::web::pages::words;

/// The height of the highest bar.
const HEIGHT: f64 = 30.0;
const LEVELS: [EventLevel; 3] = [EventLevel::Critical, EventLevel::Warning, EventLevel::Detail];

/// An event that is drawn by itself.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) id: EventId,
    /// Seconds since the epoch.
    pub(crate) at: f64,
    pub(crate) level: EventLevel,
    pub(crate) outcome: EventOutcome,
}

/// How many events full height is: the highest bar, unless that is a storm, then well above what nine of ten reach.
pub(crate) fn full_height<'a>(bars: impl Iterator<Item = &'a Count>) -> u64 {
    let mut heights: Vec<u64> = bars.map(Count::events).filter(|events| 0 < *events).collect();
    heights.sort_unstable();
    let highest = heights.last().copied().unwrap_or(1);
    let at = heights.len().saturating_sub(1) * 9 / 10;
    let usual = heights.get(at).copied().unwrap_or(1);
    let cut = (usual * 8).div_ceil(5).max(6);
    if 2 * cut < highest { cut } else { highest.max(4) }
}

/// The bars: a path a level, one unit wide a bar.
pub(crate) fn bars(axis: Axis, buckets: &Buckets, bars: &[Count], full: u64) -> Markup {
    let step = precise(buckets.step.seconds());
    let begin = precise(axis.from.as_microsecond()) / 1e6;
    let length = precise(axis.to.as_microsecond()) / 1e6 - begin;
    let left = (begin - precise(buckets.first)) / step - 0.5;
    let width = length / step;
    html! {
        svg.bars viewBox=(format!("{left:.3} 0 {width:.3} {HEIGHT}")) preserveAspectRatio="none"
            width="100%" height=(HEIGHT) y="6" {
            @for (level, path) in LEVELS.into_iter().zip(paths(bars, full)).filter(|(_, path)| !path.is_empty()) {
                path class=(level.as_str()) d=(path) {}
            }
        }
        @for storm in storms(bars, full) {
            @let middle = precise(buckets.first) + (float(storm.first + storm.last) + 1.0) / 2.0 * step;
            @let (x, part) = (axis.percent(middle), axis.part(middle));
            use.brk href="#m-brk" x=(x) y="13" {}
            @if part > 0.95 {
                text.storm x=(x) y="9" text-anchor="end" dx="-6" { (words::number(storm.events)) }
            } @else if part < 0.04 {
                text.storm x=(x) y="9" text-anchor="start" dx="6" { (words::number(storm.events)) }
            } @else {
                text.storm x=(x) y="9" dx="0" { (words::number(storm.events)) }
            }
        }
        @for (_, at) in bars.iter().zip(0_i64..).filter(|(bar, _)| 0 < bar.failed) {
            use."p fail" href="#m-fail" x=(axis.percent(precise(buckets.first) + (precise(at) + 0.5) * step)) y="42" {}
        }
    }
}

fn paths(bars: &[Count], full: u64) -> [String; 3] {
    let mut paths = [String::new(), String::new(), String::new()];
    for (bar, at) in bars.iter().zip(0_usize..) {
        // A bar that is cut keeps the shares of its levels.
        let unit = HEIGHT / float(bar.events().max(full).max(1));
        let mut y = HEIGHT;
        for (events, path) in [bar.critical, bar.warning, bar.detail]
            .into_iter()
            .zip(&mut paths)
        {
            if 0 < events {
                let top = (y - (float(events) * unit).max(1.2)).max(0.0);
                // Writing to a text does not fail.
                let _written = write!(path, "M{at} {}V{}", short(y), short(top));
                y = top;
            }
        }
    }
    paths
}

/// One digit behind the point, where there is one to tell.
fn short(length: f64) -> String {
    let text = format!("{length:.1}");
    text.strip_suffix(".0").map_or(text.clone(), ToOwned::to_owned)
}

/// Neighbouring bars that are cut.
struct Storm {
    first: u64,
    last: u64,
    events: u64,
}

fn storms(bars: &[Count], full: u64) -> Vec<Storm> {
    let mut storms: Vec<Storm> = Vec::new();
    for (bar, at) in bars.iter().zip(0_u64..).filter(|(bar, _)| full < bar.events()) {
        match storms.last_mut().filter(|storm| storm.last + 1 == at) {
            Some(storm) => {
                storm.last = at;
                storm.events += bar.events();
            }
            None => storms.push(Storm {
                first: at,
                last: at,
                events: bar.events(),
            }),
        }
    }
    storms
}

/// Marks: level by shape, place and colour, what became of it by filling, a failure by a cross below.
pub(crate) fn marks(axis: Axis, marks: &[Mark]) -> Markup {
    html! {
        @for mark in marks {
            @let (x, level) = (axis.percent(mark.at), mark.level.as_str());
            @let y = match mark.level { EventLevel::Critical => 8, EventLevel::Warning => 18, EventLevel::Detail => 28 };
            use class={ "p " (level) " " (mark.outcome.as_str()) } href={ "#m-" (level) } x=(x) y=(y) data-e=(mark.id.0) {}
            @if mark.outcome == EventOutcome::Failed {
                use."p fail" href="#m-fail" x=(x) y="42" {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(critical: u64, warning: u64, detail: u64) -> Count {
        Count {
            critical,
            warning,
            detail,
            failed: 0,
        }
    }

    #[test]
    fn a_storm_is_cut_and_labelled_so_that_it_neither_hides_nor_crushes_its_neighbours() {
        let mut bars = vec![count(1, 0, 2); 30];
        assert_eq!(full_height(bars.iter()), 4);
        bars[3] = count(0, 0, 1_141);
        bars[4] = count(0, 9, 0);
        bars[5] = count(0, 0, 3);
        let full = full_height(bars.iter());
        assert_eq!(full, 6);
        let found: Vec<_> = storms(&bars, full)
            .iter()
            .map(|storm| (storm.first, storm.last, storm.events))
            .collect();
        assert_eq!(found, [(3, 4, 1_150)]);
        let [critical, warning, detail] = paths(&bars[2..6], full);
        assert_eq!(critical, "M0 30V25");
        assert_eq!(warning, "M2 30V0");
        assert_eq!(detail, "M0 25V15M1 30V0M3 30V15");
    }
}
