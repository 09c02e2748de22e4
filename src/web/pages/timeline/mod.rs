//! The timeline: what happened, and whether anything is unusual.

mod axis;
mod chart;
mod filters;
mod lane;
mod live;
pub(crate) mod part;
mod picture;
mod rows;
mod view;

use std::sync::Arc;

use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use maud::Markup;
use maud::html;

use crate::model::clock::SignedDuration;
use crate::model::clock::Timestamp;
use crate::model::event_outcome::EventOutcome;
use crate::vmdb::BucketStep;
use crate::vmdb::Buckets;
use crate::vmdb::EventDone;
use crate::vmdb::EventFilter;
use crate::vmdb::LanesBy;
use crate::vmdb::StoredEvent;
use crate::vmdb::StoredReload;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::web::Shared;
use crate::web::api::look;
use crate::web::api::readable;
use crate::web::pages::problem::PageProblem;
use crate::web::pages::shell::Place;
use crate::web::pages::shell::Shell;
use crate::web::pages::shell::icon;
pub(crate) use crate::web::pages::timeline::axis::Axis;
use crate::web::pages::timeline::axis::OVERVIEW_BARS;
use crate::web::pages::timeline::chart::Flag;
use crate::web::pages::timeline::filters::Choice;
use crate::web::pages::timeline::picture::Picture;
pub(crate) use crate::web::pages::timeline::view::Asked;
pub(crate) use crate::web::pages::timeline::view::View;
use crate::web::pages::visitor::Visitor;
use crate::web::pages::words;

/// Events on a page of the list.
pub(crate) const PAGE: usize = 40;
/// Reloads that are drawn at most.
const MOST_FLAGS: usize = 200;
/// What the overview shows.
pub(crate) const ALL: SignedDuration = SignedDuration::from_hours(30 * 24);
const ALL_NAME: &str = "30 days";

/// `GET /`.
pub(crate) async fn show(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, PageProblem> {
    let asked = readable(query)?;
    let within = shared.clone();
    let page = look(&shared, move |vmdb| {
        let shell = Shell::new(&within, vmdb, visitor)?;
        let view = View::read("/".to_owned(), asked, &shell.visitor, vmdb, shell.now)?;
        let page = match view {
            Ok(view) => Page::read(&within, vmdb, shell, view)?,
            Err(problem) => return Ok(Err(problem)),
        };
        Ok(Ok(page.answer()))
    });
    Ok(page.await??)
}

/// All that the page shows.
struct Page {
    shell: Shell,
    view: View,
    picture: Picture,
    /// Events of the span without the filters.
    unfiltered: u64,
    managers: Vec<Choice>,
    groups: Vec<Choice>,
    events: Rows,
    cursor: Option<String>,
    flags: Vec<Flag>,
    overview: Markup,
    /// The newest events of all.
    newest: Vec<StoredEvent>,
    live: Markup,
}

impl Page {
    fn read(shared: &Shared, vmdb: &Vmdb, shell: Shell, view: View) -> Result<Self, VmdbError> {
        let settings = shared.services.settings.take();
        let groups = settings.event_groups().groups();
        let picture = Picture::take(vmdb, &view, groups, shell.visitor.is_narrow)?;
        let list = EventFilter {
            limit: Some(PAGE),
            ..view.filter.clone()
        };
        let (events, cursor) = list_of(vmdb, &list)?;
        let is_filtered = view.narrowed().next().is_some();
        let unfiltered = match picture.counted.total {
            0 if is_filtered => vmdb.events_total(&EventFilter {
                from: Some(view.from),
                to: Some(view.to),
                ..EventFilter::default()
            })?,
            total => total,
        };
        // Before the events: what is saved between the two comes again, and is known by its number.
        let position = vmdb.feed_position()?.to_string();
        let newest = vmdb.events_list(&EventFilter {
            limit: Some(live::SHOWN),
            ..EventFilter::default()
        })?;
        let managers = vmdb.ems_list()?;
        let managers = managers
            .iter()
            .map(|ems| (ems.name.to_string(), ems.name.to_string()));
        Ok(Self {
            managers: managers.collect(),
            groups: groups
                .iter()
                .map(|group| (group.key.to_string(), group.name.clone()))
                .chain([("other".to_owned(), "Other".to_owned())])
                .collect(),
            overview: overview(vmdb, &view, shell.now)?,
            live: live::strip(&newest, last_hour(vmdb, shell.now)?, &position, &view.zone),
            newest,
            flags: flags(vmdb, &view)?,
            shell,
            view,
            picture,
            unfiltered,
            events,
            cursor,
        })
    }

    fn answer(&self) -> Response {
        let main = html! {
            div.pagehead {
                div { h1 { "Timeline" } p.lead #summary { (self.summary()) } }
                div.wide-only { button.btn data-copy="" { "Copy link to this view" } }
            }
            (filters::form(&self.view, &self.managers, &self.groups))
            section.card aria-label="Events over time" {
                (readout())
                (self.plotbox())
            }
            div.cols {
                section."card list" aria-label="Events" {
                    header { h2 { "Events" } p { "Newest first" } }
                    table.t {
                        thead.sr { tr {
                            th scope="col" { "Time" } th scope="col" { "Event" } th scope="col" { "Resource" }
                            th scope="col" { "Manager" } th scope="col" { "What was done" }
                        } }
                        tbody #rows { (rows::rows(&self.events, &self.view.zone, self.shell.now)) }
                    }
                    div #more { (self.more()) }
                }
                (self.live)
            }
        };
        self.shell.page("Timeline", Place::Timeline, &main)
    }

    fn summary(&self) -> Markup {
        let counted = &self.picture.counted;
        let of = |outcome| counted.outcomes.get(&outcome).copied().unwrap_or(0);
        let (failed, norule) = (of(EventOutcome::Failed), of(EventOutcome::NoRule));
        let link = |word| self.view.link(&[("outcome", Some(word))]);
        html! {
            @if counted.total == 0 {
                "No events match."
            } @else {
                strong { (words::number(counted.total)) }
                (if counted.total == 1 { " event from " } else { " events from " })
                (words::counted(counted.managers, "manager", "managers")) ". "
                @if 0 < failed {
                    a href=(link("failed")) data-view { (words::number(failed)) " failed" }
                } @else { "None failed" }
                @if self.view.filter.outcome.is_some() {
                    "."
                } @else if 0 < norule {
                    ", " a href=(link("norule")) data-view { (words::number(norule)) " met no rule" } "."
                } @else {
                    ", every type has a rule."
                }
            }
        }
    }

    fn plotbox(&self) -> Markup {
        let chart = self.picture.chart(&self.view, &self.flags);
        let first = self.shell.now.saturating_sub(ALL).unwrap_or(self.view.from);
        let meta = chart.meta(first, self.shell.now);
        let is_bare = self.picture.lanes.is_empty();
        html! {
            div.plotbox tabindex="0" role="group" aria-roledescription="chart" data-meta=(meta)
                aria-label="Events over time, by lane. Arrow keys move, Enter zooms in, Escape zooms out." {
                (self.overview)
                (chart.draw())
                @if is_bare { (self.nothing()) }
                @if !self.picture.empty_groups.is_empty() && self.view.narrowed().next().is_none() && !is_bare {
                    p.lanes-empty { "Nothing in " (self.picture.empty_groups.join(", ")) "." }
                }
                @if self.view.lanes == LanesBy::Resource && !is_bare {
                    p.lanes-empty { "The resources of the newest events, with all their events of this span." }
                }
                @if !is_bare { (chart.table()) }
            }
        }
    }

    /// What is missing, and what ends that.
    fn nothing(&self) -> Markup {
        let is_filtered = self.view.narrowed().next().is_some();
        html! {
            div.empty {
                @if self.managers.is_empty() && self.unfiltered == 0 {
                    p { strong { "No events yet." } " No manager has been added." }
                    p { "Add one, or try the built-in cloud." }
                    (command("switchboard ems add lab-1 --type awesome_cloud --url http://127.0.0.1:9000"))
                    (command("switchboard demo"))
                } @else if self.newest.is_empty() {
                    p { strong { "No events yet." } " Nothing has come from the managers that were added." }
                    p { "This says of each what its stream does, and why." }
                    (command("switchboard ems list"))
                } @else if is_filtered {
                    p {
                        strong { "No events match." } " "
                        (words::counted(self.unfiltered, "event lies", "events lie")) " in this range without the filters."
                    }
                    p { a.btn href=(self.view.link(&["ems", "event_type", "group", "level", "outcome", "target", "q"].map(|key| (key, None)))) data-view { "Clear the filters" } }
                } @else {
                    p { strong { "No events in this range." } }
                    @if self.view.is_zoomed() { p { a.btn href="/" data-view { "The last 30 days" } } }
                }
            }
        }
    }

    fn more(&self) -> Markup {
        let total = self.picture.counted.total;
        let shown = u64::try_from(self.events.len()).unwrap_or(u64::MAX);
        let is_first = self.view.filter.before.is_none();
        html! {
            @if 0 < total {
                p.more {
                    span.muted {
                        @if is_first && shown == total { "All " (words::number(total)) " shown." }
                        @else if is_first { "Newest " (words::number(shown)) " of " (words::number(total)) "." }
                        @else { (words::number(shown)) " of " (words::number(total)) "." }
                    }
                    @if !is_first { " " a.btn href=(self.view.link(&[])) { "Newest" } }
                    @if let Some(cursor) = &self.cursor {
                        " " a.btn href=(self.view.link(&[("cursor", Some(cursor))])) rel="next" { "Show older" }
                    }
                }
            }
        }
    }
}

/// Events of the list, each with what was done.
pub(crate) type Rows = Vec<(StoredEvent, EventDone)>;

/// A page of the list, and where the next one begins.
pub(crate) fn list_of(vmdb: &Vmdb, filter: &EventFilter) -> Result<(Rows, Option<String>), VmdbError> {
    let events = vmdb.events_list(filter)?;
    let last = events.last().filter(|_| Some(events.len()) == filter.limit);
    let cursor = last
        .and_then(|stored| filter.cursor(stored))
        .map(|cursor| cursor.to_string());
    let ids: Vec<_> = events.iter().filter_map(|stored| stored.event.id).collect();
    let done = vmdb.events_done(&ids)?;
    Ok((events.into_iter().zip(done).collect(), cursor))
}

/// Reloads of the rules within the span, the newest ones.
fn flags(vmdb: &Vmdb, view: &View) -> Result<Vec<Flag>, VmdbError> {
    let reloads = vmdb.reloads(Some(view.from), Some(view.to), MOST_FLAGS)?;
    let flag = |reload: &StoredReload| Flag {
        at: reload.at,
        is_taken: reload.after.is_some(),
    };
    Ok(reloads.iter().map(flag).collect())
}

pub(crate) fn readout() -> Markup {
    html! {
        div.readout {
            span #readout role="status" {}
            span.legend {
                @for level in ["critical", "warning", "detail"] {
                    span { (icon(&format!("p-{level}"), level)) (level) }
                }
                span { (icon("p-fail", "fail")) "failed" }
            }
        }
    }
}

fn overview(vmdb: &Vmdb, view: &View, now: Timestamp) -> Result<Markup, VmdbError> {
    let all = Axis {
        from: now.saturating_sub(ALL).unwrap_or(now),
        to: now,
    };
    let step = BucketStep::for_at_most(OVERVIEW_BARS, all.from, all.to);
    let buckets = Buckets::cover(all.from, all.to, step, 0);
    let filter = EventFilter {
        from: Some(all.from),
        to: Some(all.to),
        ..EventFilter::default()
    };
    let counted = vmdb.events_counted(&filter, buckets, LanesBy::Group)?;
    let mut bars = vec![0; buckets.count];
    for lane in &counted.lanes {
        for (sum, bar) in bars.iter_mut().zip(&lane.bars) {
            *sum += bar.events();
        }
    }
    let window = Axis {
        from: view.from,
        to: view.to,
    };
    Ok(axis::overview(all, &buckets, &bars, window, ALL_NAME))
}

fn last_hour(vmdb: &Vmdb, now: Timestamp) -> Result<u64, VmdbError> {
    vmdb.events_total(&EventFilter {
        from: now.saturating_sub(SignedDuration::from_hours(1)).ok(),
        to: now.saturating_add(SignedDuration::from_micros(1)).ok(),
        ..EventFilter::default()
    })
}

fn command(line: &str) -> Markup {
    html! { div.cli { code { (line) } button."quiet small" data-copy=(line) { "Copy" } } }
}
