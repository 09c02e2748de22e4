//! What is known of one object: in the inventory, or from events alone.

use crate::model::clock::Timestamp;
use crate::model::ems::Ems;
use crate::model::relation::RELATIONS;
use crate::model::target::ManagerRef;
use crate::vmdb::EventFilter;
use crate::vmdb::ExplainedChange;
use crate::vmdb::Family;
use crate::vmdb::ListedObject;
use crate::vmdb::Mentions;
use crate::vmdb::StoredEvent;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;

/// Changes, events that are asked for a name, and parts of an object.
const CHANGES: usize = 40;
const EVENTS: usize = 5;
const PARTS: usize = 30;

/// One object.
#[derive(Debug)]
pub(crate) struct ResourceStory {
    /// The association that was asked for, or where the inventory has the object.
    pub(crate) association: String,
    /// Its key there.
    pub(crate) reference: String,
    /// The object; none where only events speak of it.
    pub(crate) object: Option<ListedObject>,
    /// Others with the same key, of other managers.
    pub(crate) others: Vec<ListedObject>,
    /// When it was read last.
    pub(crate) read_at: Option<Timestamp>,
    /// Its changes, the last first.
    pub(crate) changes: Vec<ExplainedChange>,
    /// How many there are.
    pub(crate) change_count: u64,
    /// What belongs together with it.
    pub(crate) family: Family,
    /// How many events name it.
    pub(crate) mentions: Mentions,
    /// The newest of them.
    newest: Vec<StoredEvent>,
}

impl ResourceStory {
    /// Looks it up; none where nothing is known of it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn load(
        vmdb: &Vmdb,
        association: &str,
        reference: &str,
        ems: Option<&Ems>,
        changes_before: Option<i64>,
    ) -> Result<Option<Self>, VmdbError> {
        let covering = covering(association);
        let key = ManagerRef::of_reference(reference);
        let mut found = vmdb
            .inventory_find(ems.map(|ems| ems.id), &covering, &key)?
            .into_iter();
        let (object, others) = (found.next(), found.collect());
        let mentions = vmdb.event_mentions(association, reference)?;
        if object.is_none() && mentions.all == 0 {
            return Ok(None);
        }
        let filter = EventFilter {
            ems_id: ems.map(|ems| ems.id),
            target: Some((association.to_owned(), reference.to_owned())),
            limit: Some(EVENTS),
            ..EventFilter::default()
        };
        let mut story = Self {
            association: object
                .as_ref()
                .map_or(association, |object| &object.association)
                .to_owned(),
            reference: reference.to_owned(),
            object,
            others,
            read_at: None,
            changes: Vec::new(),
            change_count: 0,
            family: Family::default(),
            mentions,
            newest: vmdb.events_list(&filter)?,
        };
        if let Some(object) = &story.object {
            story.read_at = vmdb.inventory_read_at(object.id)?;
            story.changes = vmdb.inventory_explained(object.id, changes_before, CHANGES)?;
            story.change_count = vmdb.inventory_history_count(object.id)?;
            story.family = vmdb.inventory_family(object.id, PARTS)?;
        }
        Ok(Some(story))
    }

    /// What people call it.
    pub(crate) fn name(&self) -> String {
        let object = self.object.as_ref().map(ListedObject::name);
        object
            .or_else(|| self.said_name())
            .unwrap_or_else(|| self.reference.clone())
    }

    /// What events call it.
    fn said_name(&self) -> Option<String> {
        let relations = RELATIONS
            .iter()
            .filter(|relation| relation.associations.contains(&&*self.association));
        let mut names = relations.flat_map(|relation| {
            let of_it = self
                .newest
                .iter()
                .filter(|stored| stored.event.hash.text(relation.reference) == Some(&self.reference));
            of_it.filter_map(|stored| stored.event.hash.text(relation.name?))
        });
        names.next().map(str::to_owned)
    }

    /// The name of its manager.
    pub(crate) fn ems(&self) -> Option<String> {
        let object = self.object.as_ref().map(|object| object.ems.to_string());
        let of_event = || Some(self.newest.first()?.event.ems.as_ref()?.name.to_string());
        object.or_else(of_event)
    }
}

/// The associations that are one for events, such as VMs and templates; this one first.
fn covering(association: &str) -> Vec<&str> {
    let related = RELATIONS
        .iter()
        .find(|relation| relation.associations.contains(&association))
        .map_or(&[][..], |relation| relation.associations);
    let others = related.iter().copied().filter(|other| *other != association);
    std::iter::once(association).chain(others).collect()
}
