//! The push stream: what senders bring by themselves, handed over by the web.
//!
//! What is under way is bounded in bytes and in requests, from the first byte read to the commit, so that no
//! number of senders can fill the memory. Knows nothing of HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use crate::catcher::counts::Counts;
use crate::catcher::stream::Batch;
use crate::crash_point::planted_bug;
use crate::model::ems::Ems;
use crate::model::event::NativeEvent;
use crate::model::json;
use crate::vmdb::Cursor;
use crate::vmdb::VmdbError;

/// How much may be under way at once, in KiB.
const ROOM_KIB: usize = 64 << 10;

/// Something that came and is no message; kept like one that could not be parsed.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    /// What there is of it.
    pub(crate) native: NativeEvent,
    /// What is wrong with it.
    pub(crate) reason: String,
}

impl Broken {
    /// So much is kept of what is too long, in bytes.
    const KEPT: usize = 64 << 10;

    /// A line or an event that is longer than so many bytes: its beginning is kept.
    pub(crate) fn too_long(what: &str, bytes: &[u8], longest: usize) -> Self {
        let kept = bytes.get(..Self::KEPT).unwrap_or(bytes);
        let native = NativeEvent::new(String::from_utf8_lossy(kept));
        let reason = format!(
            "the {what} is longer than {longest} bytes; its first {} are kept",
            kept.len()
        );
        Self { native, reason }
    }

    /// A line or an event that is no UTF-8: base64 keeps every byte of what cannot be kept as text.
    pub(crate) fn no_utf8(what: &str, bytes: &[u8]) -> Self {
        let why = match str::from_utf8(bytes) {
            Ok(_) => String::new(),
            Err(error) => format!(": {error}"),
        };
        Self {
            native: NativeEvent::new(format!("data:;base64,{}", STANDARD.encode(bytes))),
            reason: format!("the {what} is no UTF-8{why}; its bytes are kept as base64"),
        }
    }
}

/// What became of the messages of one request; the disk has what counts as accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// How many were taken, the unparsed ones included.
    pub accepted: usize,
    /// How many of those were known already.
    pub duplicates: usize,
    /// How many of those wait as unparsed, with the reason, until somebody mends the script.
    pub unparsed: usize,
    /// How many the settings or the parser did not want.
    pub filtered: usize,
    /// When the first of them happened, as the provider says.
    pub oldest: Option<Timestamp>,
}

impl Receipt {
    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.unparsed += other.unparsed;
        self.filtered += other.filtered;
        self.oldest = earlier(self.oldest, other.oldest);
    }

    /// The counts by name; only `accepted` is told even where it is 0.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let others = [
            ("duplicates", self.duplicates),
            ("unparsed", self.unparsed),
            ("filtered", self.filtered),
        ];
        let others = others.into_iter().filter(|(_, count)| *count > 0);
        [("accepted", self.accepted)].into_iter().chain(others).collect()
    }
}

/// The earlier one of two times.
pub(crate) fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}

/// Why messages were not taken. None of them was.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PushError {
    /// More is under way than can be kept up with.
    #[error("more events are under way than can be kept up with")]
    Busy,
    /// The catcher has ended, or failed over these messages.
    #[error("the catcher is not running")]
    Stopped,
    /// The database could not keep them.
    #[error(transparent)]
    Vmdb(#[from] VmdbError),
}

/// Room for bytes that are under way; given back when dropped.
#[derive(Debug)]
pub struct Room {
    semaphore: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Room {
    /// Takes room for more bytes; false where there is none left.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        let held = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = self.bytes.div_ceil(1024).saturating_sub(held);
        let Ok(missing) = u32::try_from(missing) else {
            return false;
        };
        let Ok(permit) = self.semaphore.clone().try_acquire_many_owned(missing) else {
            return false;
        };
        match &mut self.permit {
            Some(held) => held.merge(permit),
            none => *none = Some(permit),
        }
        true
    }
}

/// Proof that the disk has a batch of a stream; nothing but [`PushStream::keep`] makes one, after the commit. So no
/// stream can acknowledge, or a broker be told, before that (statement 25).
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    receipt: Receipt,
    position: Option<json::Value>,
}

impl Kept {
    /// What became of the messages.
    pub(crate) fn receipt(&self) -> Receipt {
        self.receipt
    }

    /// Up to where the disk has everything.
    pub(crate) fn position(&self) -> Option<&json::Value> {
        self.position.as_ref()
    }
}

/// What waits between receiving and parsing.
#[derive(Debug)]
pub(crate) enum Work {
    /// The messages of one request, or of one batch of a stream.
    Request(PushRequest),
    /// One thread shall end.
    Stop,
}

/// The messages of one request, and where to answer.
#[derive(Debug)]
pub(crate) struct PushRequest {
    pub(crate) ems: Arc<Ems>,
    pub(crate) messages: Vec<NativeEvent>,
    pub(crate) broken: Vec<Broken>,
    /// Where the stream that brought them has got to.
    pub(crate) cursor: Option<Box<Cursor>>,
    /// Why messages are missing before these, where they are.
    pub(crate) gap: Option<String>,
    pub(crate) received_at: Timestamp,
    pub(crate) reply: oneshot::Sender<Result<Receipt, VmdbError>>,
    /// Held until the answer is given.
    pub(crate) room: Room,
}

/// The way in for messages that senders bring.
#[derive(Clone, Debug)]
pub struct PushStream {
    sender: mpsc::Sender<Work>,
    room: Arc<Semaphore>,
    counts: Arc<Counts>,
}

impl PushStream {
    pub(crate) fn new(sender: mpsc::Sender<Work>, counts: Arc<Counts>) -> Self {
        Self {
            sender,
            room: Arc::new(Semaphore::new(ROOM_KIB)),
            counts,
        }
    }

    /// Room for a request that begins to arrive; it grows with what is read.
    pub fn room(&self) -> Room {
        Room {
            semaphore: self.room.clone(),
            permit: None,
            bytes: 0,
        }
    }

    /// Hands over the messages of one request and waits until the disk has them.
    ///
    /// # Errors
    /// When nothing of it was taken.
    pub async fn push(
        &self,
        ems: Arc<Ems>,
        messages: Vec<NativeEvent>,
        received_at: Timestamp,
        room: Room,
    ) -> Result<Receipt, PushError> {
        let (reply, answer) = oneshot::channel();
        let count = messages.len();
        let request = PushRequest {
            ems,
            messages,
            broken: Vec::new(),
            cursor: None,
            gap: None,
            received_at,
            reply,
            room,
        };
        match self.sender.try_send(Work::Request(request)) {
            Ok(()) => self.counts.received(count),
            Err(TrySendError::Full(_)) => return Err(PushError::Busy),
            Err(TrySendError::Closed(_)) => return Err(PushError::Stopped),
        }
        planted_bug!("acknowledge_before_commit", return Ok(Receipt::default()));
        let answer = answer.await.map_err(|_gone| PushError::Stopped)?;
        Ok(answer?)
    }

    /// Hands over what a stream brought, waiting while there is no room, and waits until the disk has it.
    ///
    /// # Errors
    /// When nothing of it was kept.
    pub(crate) async fn keep(
        &self,
        ems: Arc<Ems>,
        batch: Batch,
        cursor: Option<Cursor>,
        received_at: Timestamp,
    ) -> Result<Kept, PushError> {
        let position = batch.position.clone();
        if batch.is_empty() {
            let receipt = Receipt::default();
            return Ok(Kept {
                receipt,
                position: None,
            });
        }
        let (reply, answer) = oneshot::channel();
        self.counts.received(batch.len());
        let request = PushRequest {
            ems,
            messages: batch.messages,
            broken: batch.broken,
            cursor: cursor.map(Box::new),
            gap: batch.gap,
            received_at,
            reply,
            room: self.room(),
        };
        let sent = self.sender.send(Work::Request(request)).await;
        sent.map_err(|_closed| PushError::Stopped)?;
        let answer = answer.await.map_err(|_gone| PushError::Stopped)?;
        let receipt = answer?;
        Ok(Kept { receipt, position })
    }
}
