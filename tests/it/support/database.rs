//! A temporary database, and events to put into it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use switchboard::model::clock::Clock;
use switchboard::model::clock::SignedDuration;
use switchboard::model::clock::Timestamp;
use switchboard::model::delivery::Delivery;
use switchboard::model::delivery::RulesId;
use switchboard::model::ems::Ems;
use switchboard::model::event::EmsEvent;
use switchboard::model::event::EventClass;
use switchboard::model::event::EventHash;
use switchboard::model::event::EventKey;
use switchboard::model::event::FullData;
use switchboard::model::event_group::EventLevel;
use switchboard::model::event_group::GroupAndLevel;
use switchboard::model::event_outcome::EventOutcome;
use switchboard::model::value::Value;
use switchboard::source::Severity;
use switchboard::vmdb::Audit;
use switchboard::vmdb::DatabaseUrl;
use switchboard::vmdb::Decided;
use switchboard::vmdb::Handled;
use switchboard::vmdb::Message;
use switchboard::vmdb::NewEms;
use switchboard::vmdb::NewMessage;
use switchboard::vmdb::Outcome;
use switchboard::vmdb::RefreshPace;
use switchboard::vmdb::RunningRefresh;
use switchboard::vmdb::Vmdb;
use switchboard::vmdb::VmdbError;
use switchboard::vmdb::Work;
use tempfile::TempDir;

use crate::support::new_folder;

/// The time at which tests begin.
pub(crate) fn noon() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

/// The folder of a database. When it goes, the database has to be sound: whatever a test did, nothing was lost.
pub(crate) struct SoundFolder {
    folder: TempDir,
    is_to_be_sound: bool,
}

impl SoundFolder {
    /// The test is going to damage the database.
    pub(crate) fn is_damaged(&mut self) {
        self.is_to_be_sound = false;
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SoundFolder {
    fn drop(&mut self) {
        if self.is_to_be_sound && !std::thread::panicking() {
            expect_sound(&self.path().join("test.db"));
        }
    }
}

/// A check of the database finds no error, where it is there.
pub(crate) fn expect_sound(database: &Path) {
    if !database.exists() {
        return;
    }
    let mut errors = Vec::new();
    let audit = Audit::open(&DatabaseUrl::sqlite(database)).unwrap();
    let audited = audit.check(&Clock::System, |finding| {
        if finding.severity == Severity::Error {
            errors.push(finding.to_string());
        }
    });
    audited.unwrap();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// The refresh that waits longest, without any gathering.
pub(crate) fn take_refresh(vmdb: &Vmdb) -> Option<RunningRefresh> {
    let at_once = RefreshPace {
        longest_pause: SignedDuration::from_hours(1),
        gather: SignedDuration::from_secs(-1),
        gather_most: SignedDuration::from_secs(-1),
    };
    vmdb.refresh_take(at_once, |_| true).unwrap()
}

/// A database of its own, gone with the test.
pub(crate) struct Database {
    pub(crate) folder: SoundFolder,
    pub(crate) clock: Clock,
    pub(crate) vmdb: Vmdb,
}

impl Database {
    /// An empty one, opened to serve.
    pub(crate) fn new() -> Self {
        let folder = SoundFolder {
            folder: new_folder(),
            is_to_be_sound: true,
        };
        let clock = Clock::manual(noon());
        let url = DatabaseUrl::sqlite(folder.path().join("test.db"));
        let vmdb = Vmdb::open_to_serve(&url, clock.clone()).unwrap();
        Self { folder, clock, vmdb }
    }

    /// One with a manager in it.
    pub(crate) fn with_ems(name: &str) -> (Self, Arc<Ems>) {
        let database = Self::new();
        let ems = add_ems(&database.vmdb, name);
        (database, ems)
    }

    pub(crate) fn url(&self) -> DatabaseUrl {
        DatabaseUrl::sqlite(self.folder.path().join("test.db"))
    }
}

pub(crate) fn add_ems(vmdb: &Vmdb, name: &str) -> Arc<Ems> {
    let new = NewEms {
        name: name.to_owned(),
        provider: "awesome_cloud".to_owned(),
        ..NewEms::default()
    };
    Arc::new(vmdb.ems_add(new).wait().unwrap())
}

/// An event about a VM, with this key.
pub(crate) fn event(key: &str, vm: &str) -> EventHash {
    EventHash {
        event_type: "com.awesomecloud.vm.create".into(),
        source: "AWESOME_CLOUD".into(),
        event_key: Some(EventKey(key.into())),
        ems_ref: None,
        timestamp: Some(noon()),
        attributes: BTreeMap::from([(Arc::from("vm_ems_ref"), Value::text(vm))]),
        full_data: FullData::new(format!(r#"{{ "id": "{key}",  "vm": {{"id": "{vm}"}} }}"#)),
    }
}

pub(crate) fn add(ems: &Ems, hash: EventHash) -> NewMessage {
    NewMessage::Add {
        ems_id: ems.id,
        hash,
        received_at: noon(),
    }
}

/// The outcome of a message that asks for an event to be saved, with this decision.
pub(crate) fn saved(message: Message, delivery: Delivery) -> Outcome {
    let hash = match message.work {
        Work::Add(hash) => hash,
        other => panic!("{other:?}"),
    };
    let event = EmsEvent {
        id: Some(message.ticket.event_id()),
        class: EventClass::EmsEvent,
        ems: Some(message.ems),
        hash,
        links: BTreeMap::new(),
        received_at: message.received_at,
    };
    Outcome {
        ticket: message.ticket,
        handled: Handled::New {
            event: Arc::new(event),
            group: GroupAndLevel {
                group: "other".into(),
                level: EventLevel::Detail,
            },
            decided: Box::new(decided(delivery)),
            completion: None,
            inventory: 0,
        },
    }
}

pub(crate) fn decided(delivery: Delivery) -> Decided {
    Decided {
        rules_id: RulesId(7),
        decided_at: noon(),
        outcome: EventOutcome::Acted,
        delivery,
        refreshes: Vec::new(),
        updates: Vec::new(),
        outbox: Vec::new(),
        retry: None,
    }
}

/// Has the writer run a pragma, so that it has trouble, or no more.
#[cfg(feature = "crash-points")]
pub(crate) fn have_trouble(vmdb: &Vmdb, pragma: &str) -> Result<(), VmdbError> {
    vmdb.have_trouble(pragma).wait()
}

/// Trouble is not to be had without the feature.
#[cfg(not(feature = "crash-points"))]
pub(crate) fn have_trouble(_vmdb: &Vmdb, _pragma: &str) -> Result<(), VmdbError> {
    Ok(())
}
