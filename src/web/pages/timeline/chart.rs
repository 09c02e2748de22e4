//! The lanes over time, drawn as SVG with classes: one fixed kind of chart, counted in the database.

use maud::Markup;
use maud::html;

use crate::model::clock::Timestamp;
use crate::model::json::Value;
use crate::model::json::json;
use crate::vmdb::Buckets;
use crate::vmdb::Count;
use crate::web::pages::shell::icon;
use crate::web::pages::timeline::axis::Axis;
use crate::web::pages::timeline::axis::precise;
use crate::web::pages::timeline::lane;
use crate::web::pages::timeline::lane::Mark;
use crate::web::pages::words;
use crate::web::pages::words::Zone;

/// A lane as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    /// Names it to the script.
    pub(crate) key: String,
    /// What people call it.
    pub(crate) name: String,
    /// Where its name leads.
    pub(crate) link: String,
    /// Whether a machine wrote its name.
    pub(crate) is_machine_name: bool,
    pub(crate) bars: Vec<Count>,
    pub(crate) total: Count,
    /// Its events, where they are few.
    pub(crate) marks: Vec<Mark>,
}

/// A change of the rules, drawn over the lanes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    pub(crate) at: Timestamp,
    /// Whether the new rules were taken.
    pub(crate) is_taken: bool,
}

/// What is drawn.
#[derive(Debug)]
pub(crate) struct Chart<'a> {
    pub(crate) axis: Axis,
    pub(crate) buckets: Buckets,
    pub(crate) lanes: &'a [Lane],
    pub(crate) flags: &'a [Flag],
    pub(crate) zone: &'a Zone,
    /// Whether each event is a mark.
    pub(crate) has_marks: bool,
    pub(crate) is_narrow: bool,
    /// A link to one scale for all lanes, or back; none where that is not asked for here.
    pub(crate) scale: Option<Scale>,
    /// What a lane is: `Group` or `Resource`.
    pub(crate) lane_is: &'static str,
}

/// How high a full bar is.
#[derive(Debug)]
pub(crate) enum Scale {
    /// Each lane its own; the link leads to one for all.
    Each { link: String },
    /// One for all; the link leads back.
    One { link: String },
}

impl Chart<'_> {
    fn ticks(&self) -> i64 {
        if self.is_narrow { 4 } else { 8 }
    }

    /// What the script needs to know of it.
    pub(crate) fn meta(&self, first: Timestamp, now: Timestamp) -> Value {
        let bar = |bar: &Count| json!([bar.critical, bar.warning, bar.detail, bar.failed]);
        let lane = |lane: &Lane| json!({"k": lane.key, "n": words::foreign_text(&lane.name), "b": lane.bars.iter().map(bar).collect::<Vec<_>>()});
        json!({
            "from": self.axis.from.as_second(),
            "to": self.axis.to.as_second() + 1,
            "step": self.buckets.step.seconds(),
            "b0": self.buckets.first,
            "points": self.has_marks,
            "t0": first.as_second(),
            "now": now.as_second(),
            "ahead": self.zone.offset_at(self.axis.to),
            "zone": self.zone.name(),
            "lanes": self.lanes.iter().map(lane).collect::<Vec<_>>(),
        })
    }

    /// Flags, lanes, axis and what explains them.
    pub(crate) fn draw(&self) -> Markup {
        let one = match self.scale {
            Some(Scale::One { .. }) => Some(lane::full_height(self.lanes.iter().flat_map(|lane| &lane.bars))),
            Some(Scale::Each { .. }) | None => None,
        };
        html! {
            @if !self.flags.is_empty() { (self.flags()) }
            div.lanes { @for lane in self.lanes { (self.lane(lane, one)) } }
            @if !self.lanes.is_empty() {
                (self.axis.row(self.zone, self.ticks()))
                div.chart-tools { p.scale { (self.explained(one)) } }
            }
        }
    }

    fn lane(&self, lane: &Lane, one: Option<u64>) -> Markup {
        let full = one.unwrap_or_else(|| lane::full_height(lane.bars.iter()));
        let is_cut = lane.bars.iter().any(|bar| full < bar.events());
        let (events, failed) = (lane.total.events(), lane.total.failed);
        let name_class = if lane.is_machine_name {
            "lane-name mono"
        } else {
            "lane-name"
        };
        let said = words::counted(events, "event", "events");
        let name = words::foreign_text(&lane.name);
        html! {
            div.lane data-lane=(lane.key) {
                a class=(name_class) href=(lane.link) title=(name) data-lane-link { (words::foreign(&lane.name)) }
                svg.plot width="100%" height="47" role="img"
                    aria-label={ (name) ": " (said) ", " (words::number(failed)) " failed" } {
                    (self.axis.grid(self.zone, self.ticks()))
                    @for flag in self.flags { (self.flag_line(*flag)) }
                    line.base x1="0" x2="100%" y1="36.5" y2="36.5" {}
                    @if self.has_marks {
                        (lane::marks(self.axis, &lane.marks))
                    } @else {
                        (lane::bars(self.axis, &self.buckets, &lane.bars, full))
                    }
                }
                span.lane-n {
                    (words::number(events))
                    @if 0 < failed {
                        span.n-fail { (icon("p-fail", "fail")) (words::number(failed)) span.sr { " failed" } }
                    }
                    @if !self.has_marks && one.is_none() {
                        small { (if is_cut { "cut at " } else { "max " }) (words::number(full)) }
                    }
                }
            }
        }
    }

    fn at(flag: Flag) -> f64 {
        precise(flag.at.as_microsecond()) / 1e6
    }

    fn flag_line(&self, flag: Flag) -> Markup {
        let x = self.axis.percent(Self::at(flag));
        let class = if flag.is_taken { "reload" } else { "reload bad" };
        html! { line class=(class) x1=(x) x2=(x) y1="0" y2="100%" {} }
    }

    fn flags(&self) -> Markup {
        let count = u64::try_from(self.flags.len()).unwrap_or(u64::MAX);
        let said = words::counted(count, "reload of the rules", "reloads of the rules");
        html! {
            div."lane flags" {
                a."lane-name muted" href="/rules#reload" { "Rule reloads" }
                svg.plot width="100%" height="14" role="img" aria-label=(said) {
                    @for flag in self.flags {
                        @let (class, shape) = if flag.is_taken { ("flag", "#m-flag") } else { ("flag bad", "#m-fail") };
                        use class=(class) href=(shape) x=(self.axis.percent(Self::at(*flag))) y="7" {}
                    }
                }
                span.lane-n { (words::number(count)) }
            }
        }
    }

    fn explained(&self, one: Option<u64>) -> Markup {
        if self.has_marks {
            return html! { "Each mark is one event" };
        }
        html! {
            "One bar is " (step_word(self.buckets.step.seconds())) ". "
            @match &self.scale {
                Some(Scale::One { link }) => {
                    "Full height is " (words::counted(one.unwrap_or(0), "event", "events")) " in every lane. "
                    a href=(link) data-view { "A scale for each lane" } "."
                }
                Some(Scale::Each { link }) => {
                    "Heights compare within a lane. " a href=(link) data-view { "One scale for all" } "."
                }
                None => "Heights compare within a lane.",
            }
            (icon("p-brk", "")) " is a taller bar, with its count"
        }
    }

    /// The figures behind the bars.
    pub(crate) fn table(&self) -> Markup {
        let step = step_word(self.buckets.step.seconds());
        html! {
            details.astable {
                summary { "Counts as a table" }
                div.scroll {
                    table."t small" {
                        thead { tr {
                            th scope="col" { (self.lane_is) }
                            th.r scope="col" { "Critical" } th.r scope="col" { "Warning" }
                            th.r scope="col" { "Detail" } th.r scope="col" { "Failed" }
                            th scope="col" { "Busiest " (step) }
                        } }
                        tbody {
                            @for lane in self.lanes {
                                tr {
                                    th scope="row" { (words::foreign(&lane.name)) }
                                    @for count in [lane.total.critical, lane.total.warning, lane.total.detail, lane.total.failed] {
                                        td.r { (words::number(count)) }
                                    }
                                    td { (self.busiest(lane)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn busiest(&self, lane: &Lane) -> String {
        let busiest = lane.bars.iter().zip(0_i64..).max_by_key(|(bar, _)| bar.events());
        let Some((bar, at)) = busiest else {
            return String::new();
        };
        let start = self.buckets.first + at * self.buckets.step.seconds();
        let start = self.zone.at(Timestamp::from_second(start).unwrap_or_default());
        format!(
            "{}, {}",
            start.strftime("%b %-d %H:%M"),
            words::counted(bar.events(), "event", "events")
        )
    }
}

/// The length of a bar: `6 h`.
pub(crate) fn step_word(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    match units.into_iter().find(|(size, _)| *size <= seconds) {
        Some((size, unit)) => format!("{} {unit}", seconds / size),
        None => format!("{seconds} s"),
    }
}
