//! One thread of the catcher: takes what waits, parses it, hands it over in one commit, and goes on meanwhile.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tracing::Span;
use tracing::error;
use tracing::warn;

use crate::catcher::counts::Fate;
use crate::catcher::parse::Parser;
use crate::catcher::push_stream::PushRequest;
use crate::catcher::push_stream::Receipt;
use crate::catcher::push_stream::Work;
use crate::crash_point::planted_bug;
use crate::model::clock::Clock;
use crate::model::event::EventId;
use crate::model::event_span;
use crate::vmdb::Filtered;
use crate::vmdb::MessageId;
use crate::vmdb::NewMessage;
use crate::vmdb::Pending;
use crate::vmdb::Put;
use crate::vmdb::PutOutcome;
use crate::vmdb::RefreshRequest;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;

/// Requests are gathered until so many messages are together: a commit costs the same for one and for all.
const BATCH: usize = 256;

/// How many commits of one thread may be under way while it parses on.
const UNDER_WAY: usize = 3;

/// One thread of the catcher.
pub(crate) struct Worker {
    // One thread at a time waits for work; while it parses and commits, another one waits.
    receiver: Arc<Mutex<mpsc::Receiver<Work>>>,
    parser: Arc<Parser>,
    vmdb: Vmdb,
    /// Whoever waits for these is told by the thread that writes; what they wrote is freed here.
    under_way: VecDeque<Pending<Vec<PutOutcome>>>,
}

/// What is known of one request while its messages are on their way to the disk.
struct Parsing {
    request: PushRequest,
    messages: usize,
    receipt: Receipt,
}

impl Worker {
    pub(crate) fn new(receiver: Arc<Mutex<mpsc::Receiver<Work>>>, parser: Arc<Parser>, vmdb: Vmdb) -> Self {
        Self {
            receiver,
            parser,
            vmdb,
            under_way: VecDeque::new(),
        }
    }

    /// Works until it is told to stop; then all is answered.
    pub(crate) fn run(mut self) {
        loop {
            let (requests, is_last) = self.gather();
            if !requests.is_empty() {
                // A panic costs the senders of this batch their answer, which they take as "not kept".
                let worked = catch_unwind(AssertUnwindSafe(|| self.work(requests)));
                if worked.is_err() {
                    error!("The catcher panicked over a batch; its senders were told to come again.");
                }
            }
            if is_last {
                return self.settle(0);
            }
        }
    }

    /// Frees what was written; waits where more commits than so many are under way.
    fn settle(&mut self, most: usize) {
        while let Some(first) = self.under_way.front()
            && (most < self.under_way.len() || first.is_answered())
        {
            // What became of it was told already.
            drop(self.under_way.pop_front().map(Pending::wait));
        }
    }

    /// Waits for work and takes all that is there, up to a batch; says whether this thread shall end after it.
    fn gather(&self) -> (Vec<PushRequest>, bool) {
        let mut receiver = self.receiver.lock();
        let mut requests = Vec::new();
        let mut messages = 0;
        let mut next = receiver.blocking_recv();
        loop {
            match next {
                Some(Work::Request(request)) => {
                    messages += request.messages.len() + request.broken.len();
                    let is_alone = request.cursor.is_some() || request.gap.is_some();
                    requests.push(request);
                    // One transaction moves one cursor, and asks for one refresh.
                    if is_alone {
                        return (requests, false);
                    }
                }
                Some(Work::Stop) | None => return (requests, true),
            }
            if messages >= BATCH {
                return (requests, false);
            }
            next = match receiver.try_recv() {
                Ok(work) => Some(work),
                Err(_nothing_now) => return (requests, false),
            };
        }
    }

    fn work(&mut self, requests: Vec<PushRequest>) {
        self.settle(UNDER_WAY - 1);
        let rules = self.parser.rules();
        let mut put = Put::default();
        let mut parsing = Vec::with_capacity(requests.len());
        let mut spans = Vec::new();
        for mut request in requests {
            let before = put.messages.len();
            let natives = std::mem::take(&mut request.messages);
            let broken = std::mem::take(&mut request.broken);
            let arrived = natives.len() + broken.len();
            put.cursor = put.cursor.or(request.cursor.take().map(|cursor| *cursor));
            if let Some(gap) = request.gap.take() {
                put.refresh = Some(RefreshRequest {
                    ems_id: request.ems.id,
                    targets: Vec::new(),
                    full: Some(gap),
                });
            }
            for native in natives {
                let span = event_span::catch(&request.ems.name, rules.id());
                let parse = || {
                    self.parser
                        .parse(&rules, &request.ems, native, request.received_at)
                };
                if let Some(message) = span.in_scope(parse) {
                    if let NewMessage::Add { hash, .. } = &message {
                        event_span::is_of_type(&span, &hash.event_type);
                    }
                    put.messages.push(message);
                    spans.push(span);
                }
            }
            for broken in broken {
                let span = event_span::catch(&request.ems.name, rules.id());
                let keep = || {
                    self.parser
                        .broken(&rules, &request.ems, broken, request.received_at)
                };
                put.messages.push(span.in_scope(keep));
                spans.push(span);
            }
            let messages = put.messages.len() - before;
            let unparsed = put
                .messages
                .iter()
                .skip(before)
                .filter(|message| is_unparsed(message));
            let happened = put
                .messages
                .iter()
                .skip(before)
                .filter_map(|message| match message {
                    NewMessage::Add { hash, .. } => hash.timestamp,
                    NewMessage::Unparsed { .. } => None,
                });
            let receipt = Receipt {
                oldest: happened.min(),
                accepted: messages,
                duplicates: 0,
                unparsed: unparsed.count(),
                filtered: arrived - messages,
            };
            if receipt.filtered > 0 {
                put.filtered.push(Filtered {
                    ems_id: request.ems.id,
                    filtered: i64::try_from(receipt.filtered).unwrap_or(i64::MAX),
                    refused: 0,
                });
            }
            parsing.push(Parsing {
                request,
                messages,
                receipt,
            });
        }
        planted_bug!("cursor_before_events", {
            let cursor = put.cursor.take();
            drop(
                self.vmdb
                    .put(Put {
                        cursor,
                        ..Put::default()
                    })
                    .wait(),
            );
        });
        let is_nothing = put.messages.is_empty()
            && put.filtered.is_empty()
            && put.cursor.is_none()
            && put.refresh.is_none();
        let answers = Answers {
            parser: self.parser.clone(),
            clock: self.vmdb.clock().clone(),
            parsing,
            spans,
        };
        if is_nothing {
            return answers.give(&Ok(Vec::new()));
        }
        let put = self.vmdb.put_and_tell(put, |kept| answers.give(kept));
        // Refused where nothing was handed over; that was told too.
        self.under_way.extend(put.submit().ok());
    }
}

/// Whom to tell what became of a batch.
struct Answers {
    parser: Arc<Parser>,
    clock: Clock,
    parsing: Vec<Parsing>,
    spans: Vec<Span>,
}

impl Answers {
    fn give(self, kept: &Result<Vec<PutOutcome>, VmdbError>) {
        match kept {
            Ok(outcomes) => {
                for (outcome, span) in outcomes.iter().zip(self.spans) {
                    let (PutOutcome::Queued(MessageId(id)) | PutOutcome::Duplicate(EventId(id))) = outcome;
                    event_span::caught(&span, EventId(*id));
                }
            }
            Err(error) => warn!(%error, "Could not keep a batch of messages."),
        }
        let counts = self.parser.counts();
        let mut outcomes = kept.as_ref().map(|outcomes| outcomes.iter());
        for Parsing {
            request,
            messages,
            mut receipt,
        } in self.parsing
        {
            let answer = match &mut outcomes {
                Ok(outcomes) => {
                    let is_duplicate = |outcome: &&PutOutcome| matches!(outcome, PutOutcome::Duplicate(_));
                    receipt.duplicates = outcomes.take(messages).filter(is_duplicate).count();
                    let known = receipt.duplicates + receipt.unparsed;
                    let queued = receipt.accepted.saturating_sub(known);
                    counts.add(&request.ems.name, Fate::Queued, queued);
                    counts.add(&request.ems.name, Fate::Duplicate, receipt.duplicates);
                    counts.add(&request.ems.name, Fate::Unparsed, receipt.unparsed);
                    let took = self.clock.now().duration_since(request.received_at);
                    counts.acknowledged(took.try_into().unwrap_or_default(), receipt.accepted);
                    Ok(receipt)
                }
                Err(error) => {
                    counts.add(&request.ems.name, Fate::NotKept, messages);
                    Err(error.clone())
                }
            };
            let PushRequest { reply, room, .. } = request;
            drop(room);
            // A sender that has gone away comes again; the event key makes that harmless.
            let _gone = reply.send(answer);
        }
    }
}

fn is_unparsed(message: &NewMessage) -> bool {
    matches!(message, NewMessage::Unparsed { .. })
}
