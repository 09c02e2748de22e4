//! Operations: is anything stuck, and what to press. The worst first, as a sentence.

mod catchers;
mod letters;
mod queue;
mod refreshes;
mod rules_in_use;
mod storage;
mod tiles;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use axum::routing::get;
use maud::Markup;
use maud::html;
use serde::Deserialize;

use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::reload::ReloadState;
use crate::vmdb::Disk;
use crate::vmdb::MessageState;
use crate::vmdb::Operations;
use crate::vmdb::OutboxCounts;
use crate::vmdb::QueueCounts;
use crate::vmdb::QueueEntry;
use crate::vmdb::QueueFilter;
use crate::vmdb::Refresh;
use crate::vmdb::RefreshCounts;
use crate::vmdb::RefreshFilter;
use crate::vmdb::RefreshState;
use crate::vmdb::RefreshesByState;
use crate::vmdb::StoredReload;
use crate::vmdb::Tally;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::day_of;
use crate::web::Shared;
use crate::web::api::look;
use crate::web::api::readable;
use crate::web::managers;
use crate::web::managers::ManagerDocument;
use crate::web::pages::problem::PageProblem;
use crate::web::pages::shell;
use crate::web::pages::shell::Place;
use crate::web::pages::shell::Shell;
use crate::web::pages::visitor::Visitor;

/// Where the page is.
const PAGE: &str = "/operations";
/// Dead letters, and refreshes that are over, that are shown.
const LETTERS: usize = 20;
const REFRESHES: usize = 10;

/// The routes of the page.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new().route(PAGE, get(page))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PageQuery {
    /// Set: only what changes, for the script that keeps the page up to date.
    part: Option<String>,
}

/// What the page shows.
struct Seen {
    now: Timestamp,
    managers: Vec<ManagerDocument>,
    today: BTreeMap<EmsId, Tally>,
    queue: QueueCounts,
    outbox: OutboxCounts,
    letters: Vec<QueueEntry>,
    refresh_counts: RefreshCounts,
    refreshes_by_state: RefreshesByState,
    refreshes: Vec<Refresh>,
    operations: Operations,
    disk: Disk,
    health: Result<(), VmdbError>,
    events: u64,
    reload: ReloadState,
    last_refusal: Option<StoredReload>,
}

impl Seen {
    fn look(shared: &Shared, vmdb: &Vmdb) -> Result<Self, VmdbError> {
        let now = shared.services.clock.now();
        let mut letters = Vec::new();
        for state in [MessageState::Dead, MessageState::Parked] {
            letters.extend(vmdb.queue_list(&QueueFilter {
                state: Some(state),
                limit: Some(LETTERS),
                ..QueueFilter::default()
            })?);
        }
        letters.sort_by_key(|letter| letter.id);
        letters.truncate(LETTERS);
        let refreshes = |state, limit| {
            vmdb.refresh_list(&RefreshFilter {
                state,
                limit: Some(limit),
                ..RefreshFilter::default()
            })
        };
        // Those that run, and that wait, stand first however old they are.
        let mut shown = refreshes(Some(RefreshState::Running), REFRESHES)?;
        shown.extend(refreshes(Some(RefreshState::Waiting), REFRESHES)?);
        let is_over =
            |refresh: &Refresh| !matches!(refresh.state, RefreshState::Running | RefreshState::Waiting);
        let over = refreshes(None, REFRESHES * 2)?;
        shown.extend(over.into_iter().filter(is_over).take(REFRESHES));
        Ok(Self {
            now,
            managers: managers::managers(vmdb)?,
            today: vmdb.tallies_of(day_of(now))?,
            queue: vmdb.queue_counts()?,
            outbox: vmdb.outbox_counts()?,
            letters,
            refresh_counts: vmdb.refresh_counts()?,
            refreshes_by_state: vmdb.refreshes_by_state()?,
            refreshes: shown,
            operations: vmdb.operations()?,
            disk: vmdb.disk(),
            health: vmdb.health(),
            events: vmdb.event_count()?,
            reload: shared.services.rules.reload_state(),
            last_refusal: vmdb.last_refusal()?,
        })
    }

    /// Messages and effects that are given up.
    fn dead(&self) -> u64 {
        self.queue.dead + self.queue.parked + self.outbox.dead
    }
}

async fn page(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Response, PageProblem> {
    let is_part = readable(query)?.part.is_some();
    let services = shared.clone();
    Ok(look(&shared, move |vmdb| {
        let shell = Shell::new(&services, vmdb, visitor)?;
        let seen = Seen::look(&services, vmdb)?;
        let part = draw(&shell, &seen);
        if is_part {
            return Ok(shell::html_answer(&part));
        }
        let main = html! {
            div data-part={ (PAGE) "?part=1" } data-every="5" { (part) }
        };
        Ok(shell.page("Operations", Place::Operations, &main))
    })
    .await?)
}

fn draw(shell: &Shell, seen: &Seen) -> Markup {
    html! {
        div.pagehead {
            div { h1 { "Operations" } p.lead { (verdict::draw(seen)) } }
            div {
                span.muted { "as of " (shell.visitor.zone.element(seen.now, &shell.visitor.zone.time(seen.now))) }
                " "
                button."btn small quiet" type="button" data-do="pause" hidden { "Pause updates" }
            }
        }
        (tiles::draw(seen))
        div.ops {
            (catchers::draw(shell, seen))
            (letters::draw(seen))
            (queue::draw(seen))
            (refreshes::draw(shell, seen))
            (rules_in_use::draw(shell, seen))
            (storage::draw(shell, seen))
        }
    }
}
