//! The poll stream: asks a manager's events API page by page, as its provider's `stream.rhai` says.
//!
//! Knows nothing of HTTP and nothing of what an event means.

use std::collections::HashSet;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;

use tracing::warn;

use crate::catcher::stream::Batch;
use crate::catcher::stream::Stream;
use crate::catcher::stream::StreamError;
use crate::crash_point::crash_point;
use crate::model::clock::Clock;
use crate::model::ems::Ems;
use crate::model::event::NativeEvent;
use crate::outbound::ManagerClient;
use crate::settings::ActiveSettings;
use crate::switchboard::ActiveSwitchboard;
use crate::switchboard::PollAnswer;

/// So many pages are asked for one after another; then there is a pause, even where there is more.
const PAGES: usize = 1000;

/// One manager's events API.
#[derive(Debug)]
pub(crate) struct PollStream {
    pub(crate) ems: Arc<Ems>,
    pub(crate) rules: ActiveSwitchboard,
    pub(crate) settings: ActiveSettings,
    pub(crate) clock: Clock,
    pub(crate) client: Arc<ManagerClient>,
    /// What the last answer gave; nothing before the first one.
    pub(crate) cursor: Option<serde_json::Value>,
    /// The pages since the last pause, by their digests.
    pub(crate) pages: HashSet<u64>,
    /// Whether the last answer said that there is more, and not where.
    pub(crate) is_stuck: bool,
}

impl PollStream {
    /// The name of its cursor.
    pub(crate) const NAME: &'static str = "poll";

    /// One page: request, answer and events, off the async runtime, which scripts and the client would block.
    async fn page(&self) -> Result<PollAnswer, StreamError> {
        let (rules, ems, client) = (self.rules.take(), self.ems.clone(), self.client.clone());
        let page_size = self.settings.take().catcher(&ems.provider).ems_event_page_size;
        let (cursor, now) = (self.cursor.clone(), self.clock.now());
        let page = tokio::task::spawn_blocking(move || {
            let request = rules.poll_request(&ems, page_size, cursor.as_ref())?;
            let response = client.ask(&request, now)?;
            crash_point!("poll.response_read");
            Ok(rules.poll_answer(&ems, &response)?)
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
        // Asked again from the same place it would bring the same again, however the pages look.
        self.is_stuck = answer.more && (answer.cursor.is_none() || answer.cursor == self.cursor);
        if answer.cursor.is_some() {
            self.cursor.clone_from(&answer.cursor);
        }
        Ok(Batch {
            messages: answer.events.into_iter().map(NativeEvent::new).collect(),
            broken: Vec::new(),
            position: answer.cursor,
            more,
        })
    }
}
