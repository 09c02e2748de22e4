//! The times along the lanes.

use maud::Markup;
use maud::html;

use crate::model::clock::Timestamp;
use crate::vmdb::Buckets;
use crate::web::pages::words::Zone;

/// Distances of ticks, in seconds.
const STEPS: [i64; 14] = [
    60, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 432_000, 864_000,
];
const DAY: i64 = 86_400;
/// Bars that the overview has at most.
pub(crate) const OVERVIEW_BARS: i64 = 240;

/// A span of time as a width.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Axis {
    /// Which part of the width lies before a moment in seconds since the epoch.
    pub(crate) fn part(&self, second: f64) -> f64 {
        let micros = |time: Timestamp| precise(time.as_microsecond());
        let length = micros(self.to) - micros(self.from);
        ((second * 1e6 - micros(self.from)) / length.max(1.0)).clamp(0.0, 1.0)
    }

    /// The same as a length of SVG.
    pub(crate) fn percent(&self, second: f64) -> String {
        format!("{:.2}%", self.part(second) * 100.0)
    }

    /// Round times of a zone, at most so many, and how far apart they are.
    fn ticks(&self, zone: &Zone, most: i64) -> (Vec<i64>, i64) {
        let (from, to) = (self.from.as_second(), self.to.as_second());
        let step = STEPS
            .into_iter()
            .find(|step| (to - from) / step <= most)
            .unwrap_or(30 * DAY);
        let offset = |second| zone.offset_at(Timestamp::from_second(second).unwrap_or(self.to));
        let first = (from + offset(from)).div_euclid(step) * step;
        let count = usize::try_from((to - from).div_euclid(step) + 3).unwrap_or(0);
        // Each by the offset of its own day: clocks may be put forward or back on the way.
        let ticks = std::iter::successors(Some(first), |local| Some(local + step))
            .take(count.min(100))
            .map(|local| local - offset(local - offset(local)));
        (ticks.filter(|tick| from < *tick && *tick < to).collect(), step)
    }

    /// Lines behind the bars.
    pub(crate) fn grid(&self, zone: &Zone, most: i64) -> Markup {
        html! {
            @for tick in self.ticks(zone, most).0 {
                @let x = self.percent(precise(tick));
                line.grid x1=(x) x2=(x) y1="0" y2="100%" {}
            }
        }
    }

    /// The row below the lanes.
    pub(crate) fn row(&self, zone: &Zone, most: i64) -> Markup {
        let (ticks, step) = self.ticks(zone, most);
        html! {
            div."lane axis" {
                span."lane-name muted" { (zone.name()) }
                svg.plot width="100%" height="20" aria-hidden="true" {
                    @for tick in ticks {
                        @let (x, part) = (self.percent(precise(tick)), self.part(precise(tick)));
                        line.tick x1=(x) x2=(x) y1="0" y2="5" {}
                        @if (0.015..=0.96).contains(&part) {
                            text x=(x) y="16" { (said(zone, tick, step)) }
                        }
                    }
                }
                span.lane-n {}
            }
        }
    }
}

fn said(zone: &Zone, tick: i64, step: i64) -> String {
    let at = zone.at(Timestamp::from_second(tick).unwrap_or_default());
    let is_day = DAY <= step || (at.hour() == 0 && at.minute() == 0);
    at.strftime(if is_day { "%b %-d" } else { "%H:%M" }).to_string()
}

/// All there is, small, with the shown window marked.
pub(crate) fn overview(all: Axis, buckets: &Buckets, bars: &[u64], window: Axis, name: &str) -> Markup {
    let mut tall: Vec<u64> = bars.iter().copied().filter(|bar| 0 < *bar).collect();
    tall.sort_unstable();
    // A storm is cut, or nothing else would be seen.
    let usual = tall.get(tall.len() * 9 / 10).copied().unwrap_or(1);
    let full = tall.last().copied().unwrap_or(1).min(usual * 2).max(4);
    let mut path = String::new();
    for (bar, at) in bars.iter().zip(0_i64..).filter(|(bar, _)| 0 < **bar) {
        let height = (float(*bar) / float(full) * 20.0).clamp(1.0, 20.0);
        let start = precise(buckets.first + at * buckets.step.seconds());
        let x = all.part(start) * 1200.0;
        let width = (all.part(start + precise(buckets.step.seconds())) * 1200.0 - x - 1.0).max(1.0);
        let top = 20.0 - height;
        path.push_str(&format!("M{x:.0} {top:.1}h{width:.0}v{height:.1}h-{width:.0}z"));
    }
    let begin = all.part(precise(window.from.as_microsecond()) / 1e6) * 100.0;
    let end = all.part(precise(window.to.as_microsecond()) / 1e6) * 100.0;
    html! {
        div."lane over" {
            span."lane-name muted" { (name) }
            svg.plot width="100%" height="24" role="img" aria-label={ "All " (name) ", with the shown window marked" } {
                svg viewBox="0 0 1200 20" preserveAspectRatio="none" width="100%" height="20" y="2" {
                    path.ov d=(path) {}
                }
                rect.win x={ (format!("{begin:.2}")) "%" } width={ (format!("{:.2}", end - begin)) "%" } y="1" height="22" rx="3" {}
            }
            span.lane-n {}
        }
    }
}

/// Seconds and microseconds of our times are far below what a float holds exactly.
#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
pub(crate) fn precise(number: i64) -> f64 {
    number as f64
}

/// A count, for a length on the screen.
#[expect(clippy::cast_precision_loss, reason = "for a length on the screen")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(from: &str, to: &str, zone: &str) -> Vec<String> {
        let axis = Axis {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        };
        let zone = Zone::named(zone).unwrap();
        let (ticks, step) = axis.ticks(&zone, 4);
        ticks.into_iter().map(|tick| said(&zone, tick, step)).collect()
    }

    #[test]
    fn ticks_are_round_in_the_zone_also_where_clocks_are_put_forward() {
        for (from, to, zone, expected) in [
            (
                "2026-03-14T00:00:00Z",
                "2026-03-14T03:30:00Z",
                "UTC",
                ["01:00", "02:00", "03:00"].as_slice(),
            ),
            (
                "2026-03-14T00:10:00Z",
                "2026-03-14T03:30:00Z",
                "+05:30",
                &["06:00", "07:00", "08:00"],
            ),
            // Summer begins on the 29th at 01:00 UTC.
            (
                "2026-03-27T12:00:00Z",
                "2026-03-31T12:00:00Z",
                "Europe/Berlin",
                &["Mar 28", "Mar 29", "Mar 30", "Mar 31"],
            ),
            (
                "2026-03-28T12:00:00Z",
                "2026-03-29T10:00:00Z",
                "Europe/Berlin",
                &["18:00", "Mar 29", "06:00"],
            ),
        ] {
            assert_eq!(ticks(from, to, zone), expected, "{from} {zone}");
        }
    }
}
