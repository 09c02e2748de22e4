//! `GET /api/event_streams/live`: events as server-sent events, in the order of their commits, none left out.
//!
//! One task reads what each commit brought, once for all clients, and puts it on a ring. A client that is slower
//! than the ring, or that comes back with `Last-Event-ID`, reads what it missed from the database; so each costs a
//! bounded amount of memory, and nobody waits for it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::body::Bytes;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::http::HeaderMap;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use http_body_util::channel;
use http_body_util::channel::Channel;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::debug;
use tracing::warn;

use crate::model::ems::EmsId;
use crate::model::event_group::EventLevel;
use crate::model::json;
use crate::model::metric::Sample;
use crate::vmdb::FeedPosition;
use crate::vmdb::StoredEvent;
use crate::vmdb::Vmdb;
use crate::web::Shared;
use crate::web::api::ems_id;
use crate::web::api::level;
use crate::web::api::look;
use crate::web::api::readable;
use crate::web::api::unknown_manager;
use crate::web::event_document::listed;
use crate::web::problem::Problem;

/// How many events the ring holds.
const RING: usize = 1_024;
/// How many events may be on their way to one client.
const UNDER_WAY: usize = 64;
/// How many events are read at once.
const PAGE: usize = 256;
/// How many clients may follow along.
const CLIENTS: usize = 128;
/// After so long without an event a line says that there is none; so a client that is gone is noticed too.
const QUIET: Duration = Duration::from_secs(10);

/// What is sent about one event.
#[derive(Debug)]
struct LiveEvent {
    position: FeedPosition,
    ems_id: Option<EmsId>,
    event_type: Arc<str>,
    group: Arc<str>,
    level: EventLevel,
    frame: Bytes,
}

/// The ring, and who reads it.
#[derive(Debug)]
pub(crate) struct LiveFeed {
    /// None once the web stops.
    ring: Mutex<Option<broadcast::Sender<Arc<LiveEvent>>>>,
    seats: Arc<Semaphore>,
}

impl Default for LiveFeed {
    fn default() -> Self {
        Self {
            ring: Mutex::new(Some(broadcast::Sender::new(RING))),
            seats: Arc::new(Semaphore::new(CLIENTS)),
        }
    }
}

impl LiveFeed {
    /// Reads what each commit brings until it is told to stop, then sends every client away.
    pub(crate) async fn run(&self, vmdb: &Vmdb, mut stop: watch::Receiver<bool>) {
        let mut commits = vmdb.commits();
        let mut position = *commits.borrow_and_update();
        loop {
            let is_over = tokio::select! {
                changed = commits.changed() => changed.is_err(),
                _told = stop.wait_for(|stop| *stop) => true,
            };
            if is_over {
                break;
            }
            // In this order: whoever subscribes after it was seen that nobody had, reads the commit by himself.
            let latest = *commits.borrow_and_update();
            let ring = self.ring.lock().clone();
            let Some(ring) = ring.filter(|ring| 0 < ring.receiver_count()) else {
                position = latest;
                continue;
            };
            // What cannot be read now is read with the next commit.
            while let Some(page) = read(vmdb, position).await {
                let is_full = page.len() == PAGE;
                for event in page {
                    position = event.position;
                    // Without a receiver there is nobody to tell.
                    let _nobody = ring.send(event);
                }
                if !is_full {
                    position = position.max(latest);
                    break;
                }
            }
        }
        self.ring.lock().take();
    }

    pub(crate) fn sample(&self) -> Sample {
        let clients = CLIENTS.saturating_sub(self.seats.available_permits());
        let clients = f64::from(u32::try_from(clients).unwrap_or(u32::MAX));
        Sample::gauge(
            "switchboard_live_clients",
            "Clients that follow the events as they are saved.",
            clients,
        )
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LiveQuery {
    ems: Option<String>,
    event_type: Option<String>,
    group: Option<String>,
    level: Option<String>,
    last_event_id: Option<String>,
    // Looked at by the guard.
    #[expect(dead_code, reason = "a browser can send the token in no other way")]
    access_token: Option<String>,
}

/// Begins to send, behind `Last-Event-ID` or with what is saved from now on.
pub(crate) async fn live(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    query: Result<Query<LiveQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let query = readable(query)?;
    let level = query.level.as_deref().map(level).transpose()?;
    let last = headers
        .get("last-event-id")
        .map(|last| last.to_str().unwrap_or("?"));
    let last = last.or(query.last_event_id.as_deref());
    let last = last.map(str::parse).transpose().map_err(Problem::unreadable)?;
    let Ok(seat) = shared.live.seats.clone().try_acquire_owned() else {
        return Err(Problem::unavailable("too many clients follow the events already"));
    };
    let ring = shared.live.ring.lock().as_ref().map(broadcast::Sender::subscribe);
    let ring = ring.ok_or_else(|| Problem::unavailable("this place is about to stop"))?;
    // Asked for after the ring is read along, so that nothing falls between the two.
    let (wanted, position) = look(&shared, move |vmdb| {
        let Some(ems_id) = ems_id(vmdb, query.ems.as_deref())? else {
            return Ok(Err(unknown_manager(query.ems)));
        };
        let wanted = Wanted {
            ems_id,
            event_type: query.event_type,
            group: query.group,
            level,
        };
        Ok(Ok((wanted, vmdb.feed_position()?)))
    })
    .await??;
    if last.is_some_and(|last| position < last) {
        let help = "the database is another one, or was emptied: begin anew, without Last-Event-ID";
        return Err(Problem::unreadable("the stream has not come to this Last-Event-ID").help(help));
    }
    let (sender, body) = Channel::new(UNDER_WAY);
    let client = Client {
        vmdb: shared.services.vmdb.clone(),
        ring,
        wanted,
        last: last.unwrap_or(position),
        sender,
        _seat: seat,
    };
    tokio::spawn(client.run());
    let head = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((head, Body::new(body)).into_response())
}

/// Which events a client wants.
#[derive(Debug)]
struct Wanted {
    ems_id: Option<EmsId>,
    event_type: Option<String>,
    group: Option<String>,
    level: Option<EventLevel>,
}

impl Wanted {
    fn has(&self, event: &LiveEvent) -> bool {
        let is = |wanted: &Option<String>, text: &str| wanted.as_deref().is_none_or(|wanted| wanted == text);
        self.ems_id.is_none_or(|ems_id| event.ems_id == Some(ems_id))
            && is(&self.event_type, &event.event_type)
            && is(&self.group, &event.group)
            && self.level.is_none_or(|level| level == event.level)
    }
}

/// One client.
struct Client {
    vmdb: Vmdb,
    ring: broadcast::Receiver<Arc<LiveEvent>>,
    wanted: Wanted,
    last: FeedPosition,
    sender: channel::Sender<Bytes>,
    _seat: OwnedSemaphorePermit,
}

/// The client is gone, or nothing more can be read for it.
struct Gone;

impl Client {
    async fn run(mut self) {
        // A first line, so that the client knows at once that it is heard.
        let _gone = self.follow().await;
    }

    async fn follow(&mut self) -> Result<(), Gone> {
        self.say(Bytes::from_static(b":\n\n")).await?;
        self.catch_up().await?;
        loop {
            let received = tokio::select! {
                received = self.ring.recv() => Some(received),
                () = sleep(QUIET) => None,
            };
            match received {
                Some(Ok(event)) => self.tell(&event).await?,
                Some(Err(RecvError::Lagged(missed))) => {
                    debug!(missed, "A client of the live events reads on from the database.");
                    self.catch_up().await?;
                }
                Some(Err(RecvError::Closed)) => return Ok(()),
                None => self.say(Bytes::from_static(b":\n\n")).await?,
            }
        }
    }

    /// Sends what is saved behind the last event.
    async fn catch_up(&mut self) -> Result<(), Gone> {
        loop {
            // The client comes again and goes on where it was.
            let page = read(&self.vmdb, self.last).await.ok_or(Gone)?;
            for event in &page {
                self.tell(event).await?;
            }
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }

    async fn tell(&mut self, event: &LiveEvent) -> Result<(), Gone> {
        if event.position <= self.last {
            return Ok(());
        }
        self.last = event.position;
        if self.wanted.has(event) {
            self.say(event.frame.clone()).await?;
        }
        Ok(())
    }

    async fn say(&mut self, frame: Bytes) -> Result<(), Gone> {
        self.sender.send_data(frame).await.map_err(|_gone| Gone)
    }
}

/// A page of events behind a place; nothing where the database cannot be read.
async fn read(vmdb: &Vmdb, after: FeedPosition) -> Option<Vec<Arc<LiveEvent>>> {
    let vmdb = vmdb.clone();
    let look = move || {
        let events = vmdb.events_since(after, PAGE)?;
        let event = |(position, stored): (FeedPosition, StoredEvent)| Arc::new(live_event(position, &stored));
        Ok(events.into_iter().map(event).collect())
    };
    let looked = tokio::task::spawn_blocking(look).await;
    let read = looked.map_err(|error| error.to_string());
    let read =
        read.and_then(|read: Result<_, crate::vmdb::VmdbError>| read.map_err(|error| error.to_string()));
    read.inspect_err(|error| warn!(%error, "Cannot read events for those who follow them."))
        .ok()
}

fn live_event(position: FeedPosition, stored: &StoredEvent) -> LiveEvent {
    // JSON has no line breaks outside its texts, and none within them.
    let document = json::Value::Object(listed(stored));
    LiveEvent {
        position,
        ems_id: stored.event.ems.as_ref().map(|ems| ems.id),
        event_type: stored.event.hash.event_type.clone(),
        group: stored.group.group.clone(),
        level: stored.group.level,
        frame: format!("id: {position}\nevent: event_stream\ndata: {document}\n\n").into(),
    }
}
