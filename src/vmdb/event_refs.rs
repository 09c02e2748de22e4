//! event_refs: which events are about which object, by its association and key, whether or not it is known.

use rusqlite::params;

use crate::model::ems::EmsId;
use crate::model::event::EmsEvent;
use crate::model::relation::RELATIONS;
use crate::model::relation::Relation;
use crate::model::target::ManagerRef;
use crate::model::target::Target;
use crate::vmdb::RefreshRequest;
use crate::vmdb::VmdbError;
use crate::vmdb::codec;
use crate::vmdb::digest;
use crate::vmdb::digest_index::Tables;
use crate::vmdb::transaction::Transaction;

/// Where the index is.
pub(crate) const TABLES: Tables = Tables {
    recent: "event_refs",
    sealed: "event_ref_pages",
};
const EMS_REF: &str = "ems_ref";

/// The digest of an object: collections that one relation covers, such as VMs and templates, are one.
pub(crate) fn digest_of(association: &str, reference: &str) -> u64 {
    let covering = RELATIONS
        .iter()
        .find(|relation| relation.associations.contains(&association));
    let association = covering
        .and_then(|relation| relation.associations.first())
        .unwrap_or(&association);
    digest::short(&[association.as_bytes(), reference.as_bytes()])
}

/// The digests of the objects that an event is about: those its hash names, and those it asks to refresh.
pub(crate) fn of_event(event: &EmsEvent, refreshes: &[RefreshRequest]) -> Vec<u64> {
    let named = RELATIONS.iter().filter_map(|relation| {
        let association = relation.associations.first()?;
        Some(digest_of(association, event.hash.text(relation.reference)?))
    });
    let targets = refreshes.iter().flat_map(|refresh| &refresh.targets);
    let of_target = |target: &Target| {
        let references: Vec<u64> = target
            .manager_ref
            .0
            .values()
            .map(|reference| digest_of(&target.association, reference))
            .collect();
        references
    };
    let mut digests: Vec<u64> = named.chain(targets.flat_map(of_target)).collect();
    digests.sort_unstable();
    digests.dedup();
    digests
}

/// An object that is there from now on.
pub(crate) struct Object<'a> {
    pub(crate) ems_id: EmsId,
    pub(crate) association: &'a str,
    pub(crate) manager_ref: &'a ManagerRef,
    pub(crate) id: i64,
    pub(crate) name: Option<&'a str>,
}

/// Links the events that named an object before it was known (C53, C54).
pub(crate) fn link_late(transaction: &Transaction<'_>, object: &Object<'_>) -> Result<(), VmdbError> {
    let Some(reference) = object.manager_ref.0.get(EMS_REF) else {
        return Ok(());
    };
    let of_object = |relation: &&Relation| relation.associations.contains(&object.association);
    let relations: Vec<&Relation> = RELATIONS.iter().filter(of_object).collect();
    if relations.is_empty() {
        return Ok(());
    }
    for event in transaction.events_about(digest_of(object.association, reference))? {
        for relation in &relations {
            link(
                transaction,
                event,
                relation,
                (object.ems_id, reference),
                (object.id, object.name),
            )?;
        }
    }
    Ok(())
}

/// Links an event, just inserted, to objects that were created since its handler looked for them.
pub(crate) fn link_again(
    transaction: &Transaction<'_>,
    event_id: i64,
    ems_id: EmsId,
    event: &EmsEvent,
) -> Result<(), VmdbError> {
    for relation in &RELATIONS {
        let Some(reference) = event.hash.text(relation.reference) else {
            continue;
        };
        if event.links.contains_key(relation.column) {
            continue;
        }
        for association in relation.associations {
            let key = codec::to_json("a key", &ManagerRef::ems_ref(reference))?;
            let object = transaction.first(
                "SELECT id, name FROM inventory_objects \
                 WHERE ems_id = ?1 AND association = ?2 AND manager_ref = ?3 AND archived_on IS NULL",
                params![ems_id.0, association, key],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?)),
            )?;
            if let Some((id, name)) = object {
                link(
                    transaction,
                    event_id,
                    relation,
                    (ems_id, reference),
                    (id, name.as_deref()),
                )?;
            }
        }
    }
    Ok(())
}

/// Links one event to one object, and gives it the object's name where it had none. The index leads to events by
/// a short digest, so what they say is compared.
fn link(
    transaction: &Transaction<'_>,
    event: i64,
    relation: &Relation,
    (ems_id, reference): (EmsId, &str),
    (object, name): (i64, Option<&str>),
) -> Result<(), VmdbError> {
    let column = relation.column;
    let sql = format!(
        "UPDATE event_streams SET {column} = ?2, \
         attributes = CASE WHEN ?5 IS NULL OR ?6 IS NULL OR json_extract(attributes, ?5) IS NOT NULL \
         THEN attributes ELSE json_set(attributes, ?5, ?6) END \
         WHERE id = ?1 AND ems_id = ?3 AND {column} IS NULL AND json_extract(attributes, ?4) = ?7"
    );
    let path = |key: &str| format!("$.{key}");
    let (key, name_key) = (path(relation.reference), relation.name.map(path));
    transaction.execute(
        &sql,
        params![event, object, ems_id.0, key, name_key, name, reference],
    )?;
    Ok(())
}
