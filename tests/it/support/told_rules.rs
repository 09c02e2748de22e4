//! Rules as a test tells them, and a handler over them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use switchboard::handler::Current;
use switchboard::handler::Handler;
use switchboard::handler::HandlerConfig;
use switchboard::handler::Rules;
use switchboard::model::delivery::Delivery;
use switchboard::model::delivery::Effect;
use switchboard::model::delivery::Retry;
use switchboard::model::delivery::RulesId;
use switchboard::model::ems::Ems;
use switchboard::model::event::EmsEvent;
use switchboard::model::event::EventHash;
use switchboard::model::event::NativeEvent;
use switchboard::model::target::ManagerRef;
use switchboard::model::target::Target;
use switchboard::model::target::TargetCollection;
use switchboard::settings::Blacklist;
use switchboard::switchboard::Admission;
use switchboard::switchboard::Context;
use switchboard::switchboard::ParseError;
use switchboard::vmdb::NewMessage;
use switchboard::vmdb::QueueFilter;
use switchboard::vmdb::Vmdb;

use crate::support::Database;
use crate::support::add;

type Deliver = dyn Fn(&EmsEvent, Option<&Retry>) -> Delivery + Send + Sync;

/// Rules as a test tells them.
pub(crate) struct Told {
    deliver: Box<Deliver>,
    parse: Result<EventHash, String>,
}

impl Rules for Told {
    fn id(&self) -> RulesId {
        RulesId(11)
    }

    fn admit(
        &self,
        _ems: &Ems,
        _native: &NativeEvent,
        blacklist: &Blacklist,
    ) -> Result<Admission, ParseError> {
        let mut hash = self.parse.clone().map_err(ParseError::Json)?;
        hash.settle_key();
        let event_type = hash.event_type.clone();
        Ok(match blacklist.matched(&event_type) {
            None => Admission::Event(hash),
            Some(entry) => Admission::Filtered {
                event_type,
                entry: entry.to_owned(),
            },
        })
    }

    fn deliver(&self, event: &Arc<EmsEvent>, context: &Context) -> Delivery {
        (self.deliver)(event, context.resume.as_ref())
    }
}

pub(crate) fn start_with(
    database: &Database,
    config: HandlerConfig,
    parse: Result<EventHash, String>,
    deliver: impl Fn(&EmsEvent, Option<&Retry>) -> Delivery + Send + Sync + 'static,
) -> Handler {
    let deliver = Box::new(deliver);
    let rules: Arc<dyn Rules> = Arc::new(Told { deliver, parse });
    let rules: Current<dyn Rules> = Arc::new(move || rules.clone());
    let config = Arc::new(config);
    let config: Current<HandlerConfig> = Arc::new(move || config.clone());
    Handler::start(&database.vmdb, &rules, &config).unwrap()
}

pub(crate) fn start(
    database: &Database,
    deliver: impl Fn(&EmsEvent, Option<&Retry>) -> Delivery + Send + Sync + 'static,
) -> Handler {
    start_with(
        database,
        HandlerConfig::default(),
        Err("no parser".to_owned()),
        deliver,
    )
}

/// Waits until it is so; fails after a while.
pub(crate) fn until(vmdb: &Vmdb, is_so: impl Fn() -> bool) {
    // By time, not by turns: each commit ends one.
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let seen = vmdb.messages_seen();
        if is_so() {
            return;
        }
        assert!(Instant::now() < end, "waited in vain");
        vmdb.wait_for_messages(seen, Duration::from_millis(20));
    }
}

pub(crate) fn until_empty(vmdb: &Vmdb) {
    until(vmdb, || {
        vmdb.queue_list(&QueueFilter::default()).unwrap().is_empty()
    });
}

pub(crate) fn put(database: &Database, ems: &Ems, events: Vec<EventHash>) {
    let messages: Vec<NewMessage> = events.into_iter().map(|hash| add(ems, hash)).collect();
    database.vmdb.put(messages).wait().unwrap();
}

pub(crate) fn refresh(targets: Vec<Target>) -> Delivery {
    Delivery {
        effects: vec![Effect::QueueRefresh {
            targets: targets.into_iter().collect::<TargetCollection>(),
        }],
        ..Delivery::default()
    }
}

pub(crate) fn vm(reference: &str) -> Target {
    Target::new("vms", ManagerRef::ems_ref(reference))
}
