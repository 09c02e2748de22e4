//! One batch: each message handled by itself, so that none takes another with it, and handed over in parts.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use std::vec;

use tracing::Span;
use tracing::debug;
use tracing::error;
use tracing::warn;

use crate::crash_point::planted_bug;
use crate::handler::HandlerConfig;
use crate::handler::Rules;
use crate::handler::apply;
use crate::handler::apply::Decision;
use crate::handler::complete;
use crate::handler::figures::Note;
use crate::handler::fold;
use crate::handler::fold::Fold;
use crate::handler::pulse::Pulse;
use crate::handler::records::InventoryRecords;
use crate::handler::relate;
use crate::handler::relate::Links;
use crate::model::clock::Timestamp;
use crate::model::delivery::Delivery;
use crate::model::delivery::DeliveryError;
use crate::model::delivery::Retry;
use crate::model::ems::Ems;
use crate::model::event::EmsEvent;
use crate::model::event::EventClass;
use crate::model::event::EventHash;
use crate::model::event::EventId;
use crate::model::event::NativeEvent;
use crate::model::event_span;
use crate::model::flood::FLOOD;
use crate::switchboard::Admission;
use crate::switchboard::Context;
use crate::switchboard::ParseError;
use crate::vmdb;
use crate::vmdb::Handled;
use crate::vmdb::Message;
use crate::vmdb::Outcome;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::vmdb::Work;

/// What is decided is committed after so long, so that a slow script delays nobody's commit but its own.
const PART: Duration = Duration::from_millis(5);
/// After so long at work the rest of a batch goes back, for whoever has time for it.
const BATCH: Duration = Duration::from_millis(50);

/// A batch of messages in hand.
pub(crate) struct Batch<'a> {
    vmdb: &'a Vmdb,
    rules: &'a dyn Rules,
    config: &'a HandlerConfig,
    pulse: &'a Pulse,
    /// Without the time that its commits took: whoever takes the rest would wait for the disk just the same.
    worked: Duration,
    messages: vec::IntoIter<(Message, Links, Fold)>,
}

impl<'a> Batch<'a> {
    /// Relates the events of a batch to inventory, all at once.
    pub(crate) fn new(
        vmdb: &'a Vmdb,
        rules: &'a dyn Rules,
        config: &'a HandlerConfig,
        pulse: &'a Pulse,
        mut messages: Vec<Message>,
    ) -> Self {
        let related = vmdb.with_inventory(|inventory| {
            let related = messages.iter_mut().map(|message| match &mut message.work {
                Work::Add(hash) => relate::relate(inventory, message.ems.id, hash),
                Work::Unparsed(_) | Work::Deliver { .. } | Work::Unreadable(_) => Ok(Links::default()),
            });
            related.collect::<Result<Vec<_>, _>>()
        });
        let links = related.unwrap_or_else(|error| {
            warn!(%error, "Events of a batch are not related to inventory.");
            vec![Links::default(); messages.len()]
        });
        let folds = fold::fold(&messages);
        let messages = messages.into_iter().zip(links).zip(folds);
        let messages: Vec<_> = messages
            .map(|((message, links), fold)| (message, links, fold))
            .collect();
        Self {
            vmdb,
            rules,
            config,
            pulse,
            worked: Duration::ZERO,
            messages: messages.into_iter(),
        }
    }

    /// The outcomes of the next part of the batch, with a note about each; none when it is through. A part goes on
    /// while a commit of it would have to wait, so that a slow disk makes for greater commits, not for more of them.
    pub(crate) fn next_part(&mut self, can_commit: impl Fn() -> bool) -> Option<(Vec<Outcome>, Vec<Note>)> {
        let began = Instant::now();
        let mut outcomes = Vec::with_capacity(self.messages.len());
        let mut notes = Vec::with_capacity(self.messages.len());
        if BATCH < self.worked {
            self.messages.by_ref().for_each(drop);
        }
        for (message, links, fold) in self.messages.by_ref() {
            let attempts = message.attempts;
            let Message {
                ticket,
                ems,
                received_at,
                work,
                ..
            } = message;
            let one = One {
                vmdb: self.vmdb,
                rules: self.rules,
                config: self.config,
                ems: &ems,
                event: ticket.event_id(),
                received_at,
            };
            self.pulse.takes(one.event);
            let span = one.span(&work);
            let handled = span.in_scope(|| {
                let handled = catch_unwind(AssertUnwindSafe(|| one.handle(work, links, fold)));
                let handled = handled.unwrap_or_else(|panic| Err(panic_text(&*panic)));
                handled.unwrap_or_else(|error| one.failed(error, attempts))
            });
            notes.push(Note::new(ems.name.clone(), received_at, &handled, span));
            outcomes.push(Outcome { ticket, handled });
            self.pulse.is_done(self.vmdb.clock().now());
            let worked = began.elapsed();
            if BATCH < worked || (PART < worked && can_commit()) {
                break;
            }
        }
        self.worked += began.elapsed();
        (!outcomes.is_empty()).then_some((outcomes, notes))
    }
}

/// One message.
struct One<'a> {
    vmdb: &'a Vmdb,
    rules: &'a dyn Rules,
    config: &'a HandlerConfig,
    ems: &'a Arc<Ems>,
    event: EventId,
    received_at: Timestamp,
}

impl One<'_> {
    fn span(&self, work: &Work) -> Span {
        let (event, event_type) = match work {
            Work::Add(hash) => (self.event, Some(&*hash.event_type)),
            Work::Deliver { event, .. } => (event.id.unwrap_or(self.event), Some(&*event.hash.event_type)),
            Work::Unparsed(_) | Work::Unreadable(_) => (self.event, None),
        };
        event_span::handle(event, &self.ems.name, event_type, self.rules.id())
    }

    fn handle(&self, work: Work, links: Links, fold: Fold) -> Result<Handled, String> {
        match work {
            Work::Add(mut hash) => match fold {
                Fold::Alone => self.save(hash, links),
                Fold::Leads(summary) => {
                    hash.attributes.insert(Arc::from(FLOOD), summary);
                    self.save(hash, links)
                }
                Fold::Follows(leader) => {
                    hash.attributes.insert(Arc::from(FLOOD), fold::follows(leader));
                    self.save_decided(hash, links, |_event| fold::delivery(leader))
                }
            },
            Work::Unparsed(native) => match self.admit(&native) {
                Ok(Admission::Event(mut hash)) => {
                    let related = self
                        .vmdb
                        .with_inventory(|inventory| relate::relate(inventory, self.ems.id, &mut hash));
                    self.save(hash, related.map_err(|error| error.to_string())?)
                }
                Ok(Admission::Ignored(_)) => Ok(Handled::Ignored),
                Ok(Admission::Filtered { event_type, entry }) => {
                    debug!(ems = %self.ems.name, %event_type, entry, "Dropped a blacklisted event.");
                    Ok(Handled::Filtered)
                }
                // Asked for by somebody, and still broken: it waits until it is asked for again.
                Err(error) => Ok(self.given_up(error.to_string())),
            },
            Work::Deliver { event, retry, run } => {
                let delivery = self.deliver(&event, Some(&retry));
                let decided = self.decided(&event, run, delivery);
                Ok(Handled::Again {
                    event: event.id.unwrap_or(self.event),
                    decided: Box::new(decided.map_err(|error| error.to_string())?),
                })
            }
            Work::Unreadable(reason) => Ok(self.given_up(reason)),
        }
    }

    fn admit(&self, native: &NativeEvent) -> Result<Admission, ParseError> {
        let blacklist = self.config.blacklists.of(&self.ems.provider);
        self.rules.admit(self.ems, native, blacklist)
    }

    fn save(&self, hash: EventHash, links: Links) -> Result<Handled, String> {
        self.save_decided(hash, links, |event| self.deliver(event, None))
    }

    fn save_decided(
        &self,
        hash: EventHash,
        links: Links,
        deliver: impl FnOnce(&Arc<EmsEvent>) -> Delivery,
    ) -> Result<Handled, String> {
        let event = Arc::new(EmsEvent {
            id: Some(self.event),
            class: EventClass::EmsEvent,
            ems: Some(self.ems.clone()),
            hash,
            links: links.ids,
            received_at: self.received_at,
        });
        let decided = self.decided(&event, 0, deliver(&event));
        Ok(Handled::New {
            group: self.config.groups.classify(&event.hash.event_type),
            completion: complete::completion(&self.config.task_final_events, &event),
            decided: Box::new(decided.map_err(|error| error.to_string())?),
            inventory: links.inventory,
            event,
        })
    }

    /// A panic of the rules is an error of this delivery; the event is saved like any other.
    fn deliver(&self, event: &Arc<EmsEvent>, retry: Option<&Retry>) -> Delivery {
        let context = Context {
            records: Arc::new(InventoryRecords::new(
                self.vmdb.clone(),
                self.config.refresh_ways.clone(),
            )),
            now: self.vmdb.clock().now(),
            resume: retry.cloned(),
        };
        planted_bug!(
            "abort_on_row",
            if event.hash.event_type.ends_with(".poison") {
                std::process::abort()
            }
        );
        let decide = || catch_unwind(AssertUnwindSafe(|| self.rules.deliver(event, &context)));
        let delivered = event_span::decide().in_scope(decide);
        delivered.unwrap_or_else(|panic| {
            let message = panic_text(&*panic);
            error!(
                event_id = self.event.0,
                message, "The rules panicked over an event."
            );
            Delivery {
                errors: vec![DeliveryError {
                    path: String::new(),
                    kind: "Panic".to_owned(),
                    message: format!("the program failed over this event, please report it: {message}"),
                    fatal: true,
                }],
                ..Delivery::default()
            }
        })
    }

    fn decided(&self, event: &EmsEvent, run: u32, delivery: Delivery) -> Result<vmdb::Decided, VmdbError> {
        let decision = Decision {
            event: event.id.unwrap_or(self.event),
            hash: &event.hash,
            received_at: event.received_at,
            ems: self.ems,
            rules_id: self.rules.id(),
            decided_at: self.vmdb.clock().now(),
            run,
            delivery,
        };
        apply::apply(self.vmdb, decision)
    }

    /// Failed: tried again later, less and less often, then given up.
    fn failed(&self, error: String, attempts: u32) -> Handled {
        let tried = attempts + 1;
        if self.config.attempts <= tried {
            return self.given_up(error);
        }
        let pause = self
            .config
            .pause
            .saturating_mul(1_i32.checked_shl(attempts).unwrap_or(i32::MAX));
        Handled::Failed {
            error,
            rules_id: Some(self.rules.id()),
            retry_at: self.vmdb.clock().now().saturating_add(pause).ok(),
        }
    }

    fn given_up(&self, error: String) -> Handled {
        Handled::Failed {
            error,
            rules_id: Some(self.rules.id()),
            retry_at: None,
        }
    }
}

pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}
