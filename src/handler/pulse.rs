//! Whether each thread of the handler lives and gets on, and what it has in hand: for whoever asks for readiness.

use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;
use serde::Serialize;

use crate::model::clock::Timestamp;
use crate::model::event::EventId;

/// How one thread of the handler fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ThreadStatus {
    /// False from when it broke until it is started anew.
    pub alive: bool,
    /// Whether it has not got on for too long.
    pub stuck: bool,
    /// When it was done with a message last.
    pub last_progress: Option<Timestamp>,
    /// The event that it works at.
    pub in_hand: Option<EventId>,
    /// How often it was started anew.
    pub restarts: u64,
    /// Why it broke last.
    pub reason: Option<String>,
}

/// Written by one thread, read by anybody.
#[derive(Debug)]
pub(crate) struct Pulse(Mutex<State>);

#[derive(Debug)]
struct State {
    beat: Instant,
    status: ThreadStatus,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            beat: Instant::now(),
            status: ThreadStatus {
                alive: true,
                stuck: false,
                last_progress: None,
                in_hand: None,
                restarts: 0,
                reason: None,
            },
        }))
    }

    /// It gets on, if only to see that there is nothing to do.
    pub(crate) fn beat(&self) {
        self.0.lock().beat = Instant::now();
    }

    /// It begins with a message.
    pub(crate) fn takes(&self, event: EventId) {
        let mut state = self.0.lock();
        state.beat = Instant::now();
        state.status.in_hand = Some(event);
    }

    /// It is done with a message.
    pub(crate) fn is_done(&self, now: Timestamp) {
        let mut state = self.0.lock();
        state.status.in_hand = None;
        state.status.last_progress = Some(now);
    }

    /// It broke.
    pub(crate) fn breaks(&self, reason: String) {
        let status = &mut self.0.lock().status;
        (status.alive, status.reason, status.in_hand) = (false, Some(reason), None);
    }

    /// It is started anew.
    pub(crate) fn restarts(&self) {
        let mut state = self.0.lock();
        state.beat = Instant::now();
        state.status.alive = true;
        state.status.restarts += 1;
    }

    /// It has ended.
    pub(crate) fn ends(&self) {
        self.0.lock().status.alive = false;
    }

    pub(crate) fn status(&self, patience: Duration) -> ThreadStatus {
        let state = self.0.lock();
        ThreadStatus {
            stuck: state.status.alive && patience < state.beat.elapsed(),
            ..state.status.clone()
        }
    }
}
