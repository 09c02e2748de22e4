//! The poll stream: asks a manager's events API page by page, as its provider's `stream.rhai` says.
//!
//! Knows nothing of HTTP and nothing of what an event means.

use std::collections::HashSet;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::debug;
use tracing::warn;

use crate::catcher::page_size::PageSize;
use crate::catcher::push_stream::Broken;
use crate::catcher::stream::Batch;
use crate::catcher::stream::Stream;
use crate::catcher::stream::StreamError;
use crate::crash_point::crash_point;
use crate::model::clock::Clock;
use crate::model::ems::Ems;
use crate::model::event::NativeEvent;
use crate::model::json;
use crate::model::odd_bytes;
use crate::outbound::ManagerClient;
use crate::settings::ActiveSettings;
use crate::switchboard::ActiveSwitchboard;
use crate::switchboard::PollAnswer;

/// So many pages are asked for one after another; then there is a pause, even where there is more.
const PAGES: usize = 1000;
/// The longest page that is read, in bytes, and the longest one where a single event was asked for.
const LONGEST_PAGE: u64 = 16 << 20;
const LONGEST_ALONE: u64 = 64 << 20;

/// One manager's events API.
#[derive(Debug)]
pub(crate) struct PollStream {
    pub(crate) ems: Arc<Ems>,
    pub(crate) rules: ActiveSwitchboard,
    pub(crate) settings: ActiveSettings,
    pub(crate) clock: Clock,
    pub(crate) client: Arc<ManagerClient>,
    /// Outlives the stream: what could not be read is asked for again by the next one.
    pub(crate) page_size: Arc<Mutex<PageSize>>,
    /// What the last answer gave; nothing before the first one.
    pub(crate) cursor: Option<json::Value>,
    /// The pages since the last pause, by their digests.
    pub(crate) pages: HashSet<u64>,
    /// Whether the last answer said that there is more, and not where.
    pub(crate) is_stuck: bool,
    /// The cursor at which events were missing last: missing there again, they are the same ones.
    pub(crate) gap_at: Option<json::Value>,
}

impl PollStream {
    /// The name of its cursor.
    pub(crate) const NAME: &'static str = "poll";

    /// One page; of one that is too large to be read, the first half is asked for, or half of that, down to one event.
    async fn page(&self) -> Result<PollAnswer, StreamError> {
        loop {
            let wanted = self
                .settings
                .take()
                .catcher(&self.ems.provider)
                .ems_event_page_size;
            let size = self.page_size.lock().of(wanted);
            let error = match self.page_of(size).await {
                Ok(page) => {
                    self.page_size.lock().went_well(wanted);
                    return Ok(page);
                }
                Err(error) => error,
            };
            let may_be_less = error.is_about_content() && self.page_size.lock().went_wrong(size);
            if !(may_be_less && error.is_about_size()) {
                return Err(error);
            }
            debug!(ems = %self.ems.name, size, %error, "A page was too large; asking for half of it.");
        }
    }

    /// Request, answer and events, off the async runtime, which scripts and the client would block.
    async fn page_of(&self, size: usize) -> Result<PollAnswer, StreamError> {
        let (rules, ems, client) = (self.rules.take(), self.ems.clone(), self.client.clone());
        let (cursor, now) = (self.cursor.clone(), self.clock.now());
        let page = tokio::task::spawn_blocking(move || {
            let request = rules.poll_request(&ems, size, cursor.as_ref())?;
            let longest = if size == 1 { LONGEST_ALONE } else { LONGEST_PAGE };
            let response = client.ask_for(&request, longest, now)?;
            crash_point!("poll.response_read");
            let read = |is_light| rules.poll_answer(&ems, cursor.as_ref(), &response, is_light);
            let is_large = LONGEST_PAGE < response.body.len() as u64;
            let answer = match read(is_large) {
                // It cannot be asked for less, and what the script has to know of it is little.
                Err(error) if size == 1 && !is_large && error.is_stopped() => read(true),
                answer => answer,
            };
            Ok(answer?)
        });
        let broken = |_panic| StreamError::Answer("something over which the script engine broke".to_owned());
        page.await.map_err(broken)?
    }

    /// Notices an answer that says "more" and brings what was brought since the last pause.
    fn is_repeated(&mut self, answer: &PollAnswer) -> bool {
        let mut hasher = DefaultHasher::new();
        answer.events.hash(&mut hasher);
        answer.cursor.as_ref().map(ToString::to_string).hash(&mut hasher);
        !self.pages.insert(hasher.finish())
    }

    /// The gap that an answer tells of, unless it was told before.
    fn new_gap(&mut self, answer: &PollAnswer) -> Option<String> {
        let gap = answer.gap.clone()?;
        let at = Some(self.cursor.clone().unwrap_or_default());
        (std::mem::replace(&mut self.gap_at, at.clone()) != at).then_some(gap)
    }
}

/// What is kept of an event that cannot be one whatever its parser says, as of one that is pushed or stands in a file.
fn broken(event: &str, longest: usize, has_odd_bytes: bool) -> Option<Broken> {
    if has_odd_bytes && odd_bytes::has_stand_ins(event) {
        return Some(Broken::no_utf8("event", &odd_bytes::bytes_of(event)));
    }
    (longest < event.len()).then(|| Broken::too_long("event", event.as_bytes(), longest))
}

impl Stream for PollStream {
    fn name(&self) -> &str {
        Self::NAME
    }

    async fn next(&mut self) -> Result<Batch, StreamError> {
        crash_point!("poll.between_pages", !self.pages.is_empty());
        // What it brought is kept by now.
        if std::mem::take(&mut self.is_stuck) {
            self.pages.clear();
            return Err(StreamError::Stuck);
        }
        let answer = self.page().await?;
        if answer.more && self.is_repeated(&answer) {
            self.pages.clear();
            return Err(StreamError::Repeats);
        }
        let mut more = answer.more;
        if more && PAGES <= self.pages.len() {
            warn!(ems = %self.ems.name, pages = PAGES, "The provider has had more for many pages; pausing.");
            more = false;
        }
        if !more {
            self.pages.clear();
        }
        let gap = self.new_gap(&answer);
        // Asked again from the same place it would bring the same again, however the pages look.
        self.is_stuck = answer.more && (answer.cursor.is_none() || answer.cursor == self.cursor);
        if answer.cursor.is_some() {
            self.cursor.clone_from(&answer.cursor);
        }
        let mut batch = Batch {
            position: answer.cursor,
            gap,
            more,
            ..Batch::default()
        };
        let longest = self.settings.take().web.max_event_bytes;
        for event in answer.events {
            match broken(&event, longest, answer.has_odd_bytes) {
                Some(broken) => batch.broken.push(broken),
                None => batch.messages.push(NativeEvent::new(event)),
            }
        }
        Ok(batch)
    }
}
