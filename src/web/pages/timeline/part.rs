//! The timeline of one thing, as a part of its page: its chart and the list of its events.

use maud::Markup;
use maud::html;

use crate::model::clock::Timestamp;
use crate::vmdb::EventDone;
use crate::vmdb::EventFilter;
use crate::vmdb::StoredEvent;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::web::Shared;
use crate::web::pages::shell::Shell;
use crate::web::pages::timeline;
use crate::web::pages::timeline::axis::Axis;
use crate::web::pages::timeline::picture::Picture;
use crate::web::pages::timeline::view::View;
use crate::web::pages::words;

/// A view of one thing.
pub(crate) struct TimelinePart {
    view: View,
    picture: Picture,
    events: Vec<(StoredEvent, EventDone)>,
    cursor: Option<String>,
    now: Timestamp,
}

impl TimelinePart {
    /// Counts and reads the events of a view.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn read(shared: &Shared, vmdb: &Vmdb, shell: &Shell, view: View) -> Result<Self, VmdbError> {
        let settings = shared.services.settings.take();
        let groups = settings.event_groups().groups();
        let picture = Picture::take(vmdb, &view, groups, shell.visitor.is_narrow)?;
        let list = EventFilter {
            limit: Some(timeline::PAGE),
            ..view.filter.clone()
        };
        let (events, cursor) = timeline::list_of(vmdb, &list)?;
        Ok(Self {
            view,
            picture,
            events,
            cursor,
            now: shell.now,
        })
    }

    /// The span that is drawn.
    pub(crate) fn axis(&self) -> Axis {
        Axis {
            from: self.view.from,
            to: self.view.to,
        }
    }

    /// The chart in a card, under what is drawn over its lanes.
    pub(crate) fn chart(&self, name: &str, over: &Markup) -> Markup {
        let chart = self.picture.chart(&self.view, &[]);
        let first = self.now.saturating_sub(timeline::ALL).unwrap_or(self.view.from);
        let meta = chart.meta(first, self.now);
        html! {
            section.card aria-label="Its timeline" {
                (timeline::readout())
                div.plotbox tabindex="0" role="group" aria-roledescription="chart" data-meta=(meta)
                    aria-label={ "Events of " (name) ", by group" } {
                    (over)
                    (chart.draw())
                    @if self.picture.lanes.is_empty() {
                        div.empty {
                            p { "No events in this range." }
                            p { a.btn href=(self.view.link(&[("range", Some("30d")), ("from", None), ("to", None), ("group", None)])) { "The last 30 days" } }
                        }
                    } @else { (chart.table()) }
                }
            }
        }
    }

    /// The list in a card; `said` is what stands beside its head.
    pub(crate) fn list(&self, said: &Markup) -> Markup {
        let shown = u64::try_from(self.events.len()).unwrap_or(u64::MAX);
        html! {
            section."card list" aria-label="Events" {
                header { h2 { "Events" } p { (said) } }
                table.t {
                    thead.sr { tr {
                        @for name in ["Time", "Event", "Resource", "Manager", "What was done"] { th scope="col" { (name) } }
                    } }
                    tbody #rows { (timeline::rows::rows(&self.events, &self.view.zone, self.now)) }
                }
                div #more {
                    p.more {
                        span.muted {
                            (words::number(shown)) " of " (words::number(self.picture.counted.total)) " in this range."
                        }
                        @if self.view.filter.before.is_some() { " " a.btn href=(self.view.link(&[])) { "Newest" } }
                        @if let Some(cursor) = &self.cursor {
                            " " a.btn href=(self.view.link(&[("cursor", Some(cursor))])) rel="next" { "Show older" }
                        }
                    }
                }
            }
        }
    }
}
