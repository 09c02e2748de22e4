//! What saving a refresh makes of the inventory: created, updated, unchanged, archived, each with its history.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;
use switchboard::model::ems::Ems;
use switchboard::model::inventory::Collected;
use switchboard::model::inventory::CollectedObject;
use switchboard::model::inventory::ObjectKey;
use switchboard::model::inventory::RefreshScope;
use switchboard::model::target::ManagerRef;
use switchboard::model::target::Target;
use switchboard::vmdb::InventoryChanges;
use switchboard::vmdb::RefreshRequest;
use switchboard::vmdb::Vmdb;

use crate::support::Database;
use crate::support::add_ems;
use crate::support::take_refresh;

fn key(association: &str, reference: &str) -> ObjectKey {
    ObjectKey {
        association: association.into(),
        manager_ref: ManagerRef::ems_ref(reference),
    }
}

fn object(reference: &str, parent: Option<&str>, attributes: Value) -> CollectedObject {
    CollectedObject {
        manager_ref: ManagerRef::ems_ref(reference),
        parent: parent.map(|vm| key("vms", vm)),
        attributes: serde_json::from_value(attributes).unwrap(),
    }
}

/// Objects as `association: ref` or, for disks, `ref of a VM/ref`; each has a name of its own.
fn collected(objects: &[(&str, &[&str])], not_found: &[(&str, &str)]) -> Collected {
    let one = |reference: &&str| match reference.split_once('/') {
        Some((vm, disk)) => object(disk, Some(vm), json!({ "name": disk })),
        None => object(reference, None, json!({ "name": reference })),
    };
    let collections = objects
        .iter()
        .map(|(association, objects)| (Arc::from(*association), objects.iter().map(one).collect()));
    Collected {
        collections: collections.collect(),
        not_found: not_found.iter().map(|(a, reference)| key(a, reference)).collect(),
    }
}

fn targets(targets: &[(&str, &str)]) -> RefreshScope {
    let target = |(association, reference): &(&str, &str)| match *reference {
        "" => Target::new(*association, ManagerRef::default()),
        reference => Target::new(*association, ManagerRef::ems_ref(reference)),
    };
    RefreshScope::Targets(targets.iter().map(target).collect())
}

/// Runs a refresh that brings this.
fn refresh(vmdb: &Vmdb, ems: &Ems, scope: &RefreshScope, collected: &Collected) -> InventoryChanges {
    let request = RefreshRequest {
        ems_id: ems.id,
        targets: Vec::new(),
        full: Some("a test".to_owned()),
    };
    vmdb.queue_refresh(&request).wait().unwrap();
    let taken = take_refresh(vmdb).unwrap();
    vmdb.refresh_save(taken.id, ems.id, scope, collected).unwrap()
}

/// What is there, by association: `vms: a b; disks: …`.
fn present(vmdb: &Vmdb, ems: &Ems) -> BTreeMap<&'static str, Vec<String>> {
    let names = |association| {
        let objects = vmdb
            .with_inventory(|view| view.all(Some(ems.id), association))
            .unwrap();
        let mut names: Vec<String> = objects
            .iter()
            .map(|object| object.manager_ref.0.values().next().unwrap().to_string())
            .collect();
        names.sort();
        names
    };
    let all = ["vms", "disks", "hosts"].map(|association| (association, names(association)));
    all.into_iter().filter(|(_, names)| !names.is_empty()).collect()
}

const EVERYTHING: &[(&str, &[&str])] = &[
    ("vms", &["a", "b", "c"]),
    ("disks", &["a/a1", "a/a2", "b/b1"]),
    ("hosts", &["h"]),
];

#[test]
fn c103_to_c106_what_a_refresh_leaves_out_is_gone_as_far_as_it_was_asked_for() {
    type Case = (
        &'static str,
        RefreshScope,
        Collected,
        &'static [(&'static str, &'static [&'static str])],
    );
    let cases: Vec<Case> = vec![
        (
            "full, all as it was",
            RefreshScope::Full,
            collected(EVERYTHING, &[]),
            &[
                ("vms", &["a", "b", "c"]),
                ("disks", &["a1", "a2", "b1"]),
                ("hosts", &["h"]),
            ],
        ),
        (
            "full: what is missing from a collection that came is gone, and so are its parts",
            RefreshScope::Full,
            collected(&[("vms", &["b", "c"])], &[]),
            &[("vms", &["b", "c"]), ("disks", &["b1"]), ("hosts", &["h"])],
        ),
        (
            "full: an empty collection is an answer, one that did not come is none",
            RefreshScope::Full,
            collected(&[("hosts", &[])], &[]),
            &[("vms", &["a", "b", "c"]), ("disks", &["a1", "a2", "b1"])],
        ),
        (
            "C103: confirmed missing is archived with its parts, others are untouched",
            targets(&[("vms", "a")]),
            collected(&[], &[("vms", "a")]),
            &[("vms", &["b", "c"]), ("disks", &["b1"]), ("hosts", &["h"])],
        ),
        (
            "C104: asked for and neither there nor confirmed missing: nothing happens",
            targets(&[("vms", "a")]),
            collected(&[("vms", &[]), ("disks", &[])], &[]),
            &[
                ("vms", &["a", "b", "c"]),
                ("disks", &["a1", "a2", "b1"]),
                ("hosts", &["h"]),
            ],
        ),
        (
            "C105: parts that did not come back are gone, those of others are untouched",
            targets(&[("vms", "a")]),
            collected(&[("vms", &["a"]), ("disks", &["a/a2", "a/a3"])], &[]),
            &[
                ("vms", &["a", "b", "c"]),
                ("disks", &["a2", "a3", "b1"]),
                ("hosts", &["h"]),
            ],
        ),
        (
            "C106: an empty key is the whole association",
            targets(&[("vms", "")]),
            collected(&[("vms", &["a"]), ("disks", &["a/a1", "a/a2"])], &[]),
            &[("vms", &["a"]), ("disks", &["a1", "a2"]), ("hosts", &["h"])],
        ),
        (
            "an object that came is there, whatever else was said of it",
            targets(&[("vms", "a")]),
            collected(&[("vms", &["a"]), ("disks", &["a/a1", "a/a2"])], &[("vms", "a")]),
            &[
                ("vms", &["a", "b", "c"]),
                ("disks", &["a1", "a2", "b1"]),
                ("hosts", &["h"]),
            ],
        ),
    ];
    for (what, scope, brought, expected) in cases {
        let (database, ems) = Database::with_ems("one");
        let other = add_ems(&database.vmdb, "other");
        let all = collected(EVERYTHING, &[]);
        refresh(&database.vmdb, &ems, &RefreshScope::Full, &all);
        refresh(&database.vmdb, &other, &RefreshScope::Full, &all);
        refresh(&database.vmdb, &ems, &scope, &brought);
        let expected: BTreeMap<&str, Vec<String>> = expected
            .iter()
            .map(|(association, names)| (*association, names.iter().map(ToString::to_string).collect()))
            .collect();
        assert_eq!(present(&database.vmdb, &ems), expected, "{what}");
        let of_other = present(&database.vmdb, &other);
        assert_eq!(
            of_other.values().flatten().count(),
            7,
            "{what}: the other manager"
        );
    }
}

#[test]
fn changes_are_counted_and_nothing_is_written_for_what_stays() {
    let (database, ems) = Database::with_ems("one");
    let vmdb = &database.vmdb;
    let count = |created, updated, unchanged, archived| InventoryChanges {
        created,
        updated,
        unchanged,
        archived,
    };
    let vm = |reference: &str, attributes| object(reference, None, attributes);
    let vms = |objects: Vec<CollectedObject>| Collected {
        collections: BTreeMap::from([("vms".into(), objects)]),
        not_found: Vec::new(),
    };
    let steps = [
        (
            vec![vm("a", json!({"name": "x"})), vm("b", json!({"name": "y"}))],
            count(2, 0, 0, 0),
        ),
        (
            vec![vm("a", json!({"name": "x"})), vm("b", json!({"name": "y"}))],
            count(0, 0, 2, 0),
        ),
        (
            vec![vm("a", json!({"name": "z"})), vm("b", json!({"name": "y"}))],
            count(0, 1, 1, 0),
        ),
        (vec![vm("b", json!({"name": "y"}))], count(0, 0, 1, 1)),
        // It comes back under its number: its history goes on.
        (
            vec![vm("a", json!({"name": "z"})), vm("b", json!({"name": "y"}))],
            count(1, 0, 1, 0),
        ),
    ];
    for (number, (objects, expected)) in steps.into_iter().enumerate() {
        let changes = refresh(vmdb, &ems, &RefreshScope::Full, &vms(objects));
        assert_eq!(changes, expected, "step {number}");
    }
    let connection = rusqlite::Connection::open(database.folder.path().join("test.db")).unwrap();
    let mut query = connection
        .prepare(
            "SELECT change, json_extract(before, '$.name'), json_extract(after, '$.name'), refresh_id \
             FROM inventory_history WHERE object_id = 1 ORDER BY id",
        )
        .unwrap();
    let history: Vec<(String, Option<String>, Option<String>, i64)> = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let text = |text: &str| Some(text.to_owned());
    let expected = [
        ("created".to_owned(), None, text("x"), 1),
        ("updated".to_owned(), text("x"), text("z"), 3),
        ("archived".to_owned(), text("z"), None, 4),
        ("created".to_owned(), text("z"), text("z"), 5),
    ];
    assert_eq!(history, expected);
}

#[test]
fn more_objects_than_one_commit_takes_are_saved_and_archived_all() {
    let (database, ems) = Database::with_ems("one");
    let all = |count: usize| {
        let objects = (0..count)
            .map(|number| object(&format!("vm-{number}"), None, json!({"name": number.to_string()})));
        Collected {
            collections: BTreeMap::from([("vms".into(), objects.collect())]),
            not_found: Vec::new(),
        }
    };
    let changes = refresh(&database.vmdb, &ems, &RefreshScope::Full, &all(2_500));
    assert_eq!(changes.created, 2_500);
    let changes = refresh(&database.vmdb, &ems, &RefreshScope::Full, &all(1));
    assert_eq!((changes.unchanged, changes.archived), (1, 2_499));
    assert_eq!(
        present(&database.vmdb, &ems),
        BTreeMap::from([("vms", vec!["vm-0".to_owned()])])
    );
}

#[test]
fn an_object_that_was_saved_since_it_was_looked_up_is_not_saved_twice() {
    let (database, ems) = Database::with_ems("one");
    let brought = |first: &str, second: &str| {
        let objects = [first, second].map(|name| object("a", None, json!({"name": name})));
        Collected {
            collections: BTreeMap::from([("vms".into(), objects.to_vec())]),
            not_found: Vec::new(),
        }
    };
    // Both are looked up before one of them is saved.
    for (first, second, created, updated) in [("x", "y", 1, 1), ("z", "w", 0, 2)] {
        let changes = refresh(&database.vmdb, &ems, &RefreshScope::Full, &brought(first, second));
        assert_eq!((changes.created, changes.updated), (created, updated));
    }
    let connection = rusqlite::Connection::open(database.folder.path().join("test.db")).unwrap();
    let changes: Vec<(Option<String>, String)> = connection
        .prepare(
            "SELECT json_extract(before, '$.name'), json_extract(after, '$.name') \
             FROM inventory_history ORDER BY id",
        )
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let text = |text: &str| text.to_owned();
    let expected = [
        (None, text("x")),
        (Some(text("x")), text("y")),
        (Some(text("y")), text("z")),
        (Some(text("z")), text("w")),
    ];
    assert_eq!(changes, expected);
}

#[test]
fn the_inventory_of_a_manager_ends_with_it_and_its_refresh_that_still_runs_brings_none_back() {
    let database = Database::new();
    let vmdb = &database.vmdb;
    let (ems, other) = (add_ems(vmdb, "cloud"), add_ems(vmdb, "other"));
    for ems in [&ems, &other] {
        refresh(vmdb, ems, &RefreshScope::Full, &collected(EVERYTHING, &[]));
    }
    let request = RefreshRequest {
        ems_id: ems.id,
        targets: Vec::new(),
        full: Some("a test".to_owned()),
    };
    vmdb.queue_refresh(&request).wait().unwrap();
    let running = take_refresh(vmdb).unwrap();
    let ids: Vec<i64> = vmdb
        .with_inventory(|view| view.all(Some(ems.id), "vms"))
        .unwrap()
        .iter()
        .map(|object| object.id)
        .collect();
    vmdb.ems_remove("cloud").wait().unwrap();
    assert_eq!(present(vmdb, &ems), BTreeMap::new());
    assert_eq!(present(vmdb, &other).len(), 3);
    let history = vmdb.inventory_history(ids[0], None, 1).unwrap();
    assert_eq!(history[0].change, "archived");
    // Enough for several commits, and the rest that is written with the end.
    let names: Vec<String> = (0..2_500).map(|number| format!("vm-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let much = collected(&[("vms", &names), ("hosts", &["h"])], &[]);
    vmdb.refresh_save(running.id, ems.id, &RefreshScope::Full, &much)
        .unwrap();
    assert_eq!(present(vmdb, &ems), BTreeMap::new());
    // Added again, it has each object once.
    let again = add_ems(vmdb, "cloud");
    refresh(vmdb, &again, &RefreshScope::Full, &collected(EVERYTHING, &[]));
    let vms = vmdb.with_inventory(|view| view.all(None, "vms")).unwrap();
    assert_eq!(vms.len(), 6, "three of this one, three of the other");
}
