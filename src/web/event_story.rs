//! Everything that is known of one event: what the page shows and the API tells.

use serde::Serialize;

use crate::model::clock::Timestamp;
use crate::model::event::EventId;
use crate::model::flood::FLOOD;
use crate::model::json;
use crate::model::json::Map;
use crate::model::json::Value;
use crate::model::json::json;
use crate::model::relation::RELATIONS;
use crate::model::relation::Relation;
use crate::model::target::ManagerRef;
use crate::model::target::Target;
use crate::model::value::Value as EventValue;
use crate::vmdb::FoundChange;
use crate::vmdb::ListedObject;
use crate::vmdb::Neighbours;
use crate::vmdb::QueueEntry;
use crate::vmdb::Refresh;
use crate::vmdb::ShownEvent;
use crate::vmdb::StoredEvent;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::web::event_document::listed;

/// How many changes, events of a chain and events of a refresh are told; their numbers are exact.
const CHANGES: usize = 200;
const CHAIN: usize = 50;
const SHARERS: usize = 20;

/// One event and what it led to.
#[derive(Clone, Debug)]
pub(crate) struct EventStory {
    /// The event, its runs, its outbox.
    pub(crate) shown: ShownEvent,
    /// The objects that it names.
    pub(crate) resources: Vec<NamedResource>,
    /// The refreshes that it asked for.
    pub(crate) refreshes: Vec<SharedRefresh>,
    /// What they changed, the first of it.
    pub(crate) changes: Vec<FoundChange>,
    /// How much that is.
    pub(crate) change_count: u64,
    /// The other events of its chain, and how many they are.
    pub(crate) chain: (Vec<StoredEvent>, u64),
    /// Which events were decided together with it.
    pub(crate) flood: Option<Flood>,
    /// The message over which it is to be handled again.
    pub(crate) message: Option<QueueEntry>,
    /// Those before and after it, about the first object that it names.
    pub(crate) neighbours: Neighbours,
}

/// An object that an event names.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NamedResource {
    /// `vm`, `dest_host`, ...: the key of the hash, without its end.
    pub(crate) role: &'static str,
    /// Where it is.
    pub(crate) association: String,
    /// Its key there.
    pub(crate) reference: String,
    /// What it is called.
    pub(crate) name: Option<String>,
    /// Its number in the inventory, where it is there.
    pub(crate) id: Option<i64>,
}

/// A refresh with the other events that it serves.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SharedRefresh {
    #[serde(flatten)]
    pub(crate) refresh: Refresh,
    /// The first of them.
    pub(crate) shared_with: Vec<EventId>,
    /// How many they are.
    pub(crate) shared_count: u64,
}

/// Events of a flood that were decided together.
#[derive(Clone, Debug)]
pub(crate) enum Flood {
    /// With this one.
    FoldedInto(EventId),
    /// This one for all of them.
    Leads(Vec<EventId>),
}

/// When an event came to where; what did not happen has no time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Journey {
    /// In the cloud, as the provider says.
    pub(crate) happened_at: Option<Timestamp>,
    /// By us.
    pub(crate) received_at: Option<Timestamp>,
    /// By the rules, first.
    pub(crate) decided_at: Option<Timestamp>,
    /// Its refresh was first asked for: maybe by an event before it.
    pub(crate) refresh_queued_at: Option<Timestamp>,
    /// It began.
    pub(crate) refresh_started_at: Option<Timestamp>,
    /// It ended.
    pub(crate) refresh_finished_at: Option<Timestamp>,
    /// It wrote the last change that is told.
    pub(crate) changed_at: Option<Timestamp>,
}

impl EventStory {
    /// Looks it up.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn load(vmdb: &Vmdb, id: EventId) -> Result<Option<Self>, VmdbError> {
        let Some(shown) = vmdb.event_show(id)? else {
            return Ok(None);
        };
        let resources = resources(vmdb, &shown)?;
        let mut refreshes = Vec::new();
        for refresh in vmdb.refreshes_by_id(&shown.refreshes)? {
            let (shared_with, shared_count) = vmdb.events_of_refresh(refresh.id, id, SHARERS)?;
            refreshes.push(SharedRefresh {
                refresh,
                shared_with,
                shared_count,
            });
        }
        let (changes, change_count) = vmdb.refresh_changes(&shown.refreshes, CHANGES)?;
        let neighbours = match resources.first() {
            Some(first) => vmdb.event_neighbours(id, &first.association, &first.reference)?,
            None => Neighbours::default(),
        };
        Ok(Some(Self {
            chain: vmdb.events_of_chain(&shown.stored.event, CHAIN)?,
            flood: Flood::of(&shown.stored),
            message: vmdb.message_of_event(id)?,
            resources,
            refreshes,
            changes,
            change_count,
            neighbours,
            shown,
        }))
    }

    /// What was asked to be refreshed.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let last = self.shown.deliveries.last();
        let targets = last.map(|last| json::from_value(&last.targets));
        targets.and_then(Result::ok).unwrap_or_default()
    }

    /// The changes of what the event asked for, and those that its refreshes found besides.
    pub(crate) fn own_changes(&self) -> (Vec<&FoundChange>, Vec<&FoundChange>) {
        let targets = self.targets();
        let is_alone = self.refreshes.iter().all(|refresh| refresh.shared_count == 0);
        self.changes
            .iter()
            .partition(|found| is_alone || targets.iter().any(|target| is_of(&found.object, target)))
    }

    /// When it came to where.
    pub(crate) fn journey(&self) -> Journey {
        let event = &self.shown.stored.event;
        let refreshes = || self.refreshes.iter().map(|shared| &shared.refresh);
        let (own, _others) = self.own_changes();
        Journey {
            happened_at: event.hash.timestamp,
            received_at: Some(event.received_at),
            decided_at: self.shown.deliveries.first().map(|run| run.decided_at),
            refresh_queued_at: refreshes().map(|refresh| refresh.requested_at).min(),
            refresh_started_at: refreshes().filter_map(|refresh| refresh.started_at).min(),
            refresh_finished_at: refreshes().filter_map(|refresh| refresh.finished_at).max(),
            changed_at: own.iter().map(|found| found.change.changed_at).max(),
        }
    }

    /// What the API tells of it besides the event and its decision.
    pub(crate) fn more(&self) -> Map<String, Value> {
        let ids = |events: &[StoredEvent]| -> Vec<Value> {
            events
                .iter()
                .map(|stored| Value::Object(listed(stored)))
                .collect()
        };
        let entries = [
            ("resources", json!(self.resources)),
            ("journey", json!(self.journey())),
            ("refreshed", json!(self.refreshes)),
            ("changes", json!(self.changes)),
            ("change_count", json!(self.change_count)),
            ("chain", json!(ids(&self.chain.0))),
            ("chain_count", json!(self.chain.1)),
            ("earlier", json!(self.neighbours.earlier)),
            ("later", json!(self.neighbours.later)),
            ("message", json!(self.message.as_ref().map(lean))),
        ];
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }
}

/// A message without what it carries: the event says that.
fn lean(message: &QueueEntry) -> QueueEntry {
    QueueEntry {
        payload: None,
        full_data: None,
        ..message.clone()
    }
}

/// Whether a target is this object, or all of its association.
pub(crate) fn is_of(object: &ListedObject, target: &Target) -> bool {
    *target.association == *object.association
        && (target.manager_ref.is_whole_association() || json!(target.manager_ref) == object.manager_ref)
        && target.ems.as_ref().is_none_or(|ems| *ems == object.ems)
}

impl Flood {
    fn of(stored: &StoredEvent) -> Option<Self> {
        let EventValue::Map(map) = stored.event.hash.attributes.get(FLOOD)? else {
            return None;
        };
        if let Some(EventValue::Int(leader)) = map.get("folded_into") {
            return Some(Self::FoldedInto(EventId(*leader)));
        }
        let ids = json::to_value(map.get("ids")?).ok()?;
        let ids: Vec<EventId> = json::from_value(&ids).ok()?;
        let others = ids.into_iter().filter(|id| Some(*id) != stored.event.id);
        Some(Self::Leads(others.collect()))
    }
}

/// The objects that an event names, each in the association that the inventory has it in.
fn resources(vmdb: &Vmdb, shown: &ShownEvent) -> Result<Vec<NamedResource>, VmdbError> {
    let event = &shown.stored.event;
    let mut resources = Vec::new();
    for relation in &RELATIONS {
        let known = match (
            event.links.get(relation.column),
            event.hash.text(relation.reference),
        ) {
            (Some(id), _) => vmdb.inventory_by_id(*id)?,
            (None, Some(reference)) => {
                let ems = event.ems.as_ref().map(|ems| ems.id);
                let key = ManagerRef::ems_ref(reference);
                vmdb.inventory_find(ems, relation.associations, &key)?
                    .into_iter()
                    .next()
            }
            (None, None) => None,
        };
        resources.extend(named(relation, &event.hash, known));
    }
    Ok(resources)
}

fn named(
    relation: &'static Relation,
    hash: &crate::model::event::EventHash,
    known: Option<ListedObject>,
) -> Option<NamedResource> {
    let role = relation.reference.trim_end_matches("_ems_ref");
    let said = relation.name.and_then(|key| hash.text(key)).map(str::to_owned);
    match known {
        Some(object) => {
            let own = object.attributes.get("name").and_then(Value::as_str);
            Some(NamedResource {
                role,
                reference: object.reference(),
                name: own.map(str::to_owned).or(said),
                id: Some(object.id),
                association: object.association,
            })
        }
        None => Some(NamedResource {
            role,
            association: (*relation.associations.first()?).to_owned(),
            reference: hash.text(relation.reference)?.to_owned(),
            name: said,
            id: None,
        }),
    }
}
