//! The floor of saving: bare batched upserts into the same tables, and the rows of history.
//!
//! Nothing is serialised, looked up or compared here: texts are ready, and what changed is known beforehand.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::Statement;
use rusqlite::params;
use switchboard::model::ems::EmsId;
use switchboard::model::inventory::Collected;
use tempfile::TempDir;

use crate::inventory::Step;
use crate::measure;

/// Rows of a transaction.
const BATCH: usize = 1_000;
const NOW: i64 = 1_767_268_800_000_000;

/// Writes with one connection.
pub(crate) struct Upserts {
    connection: Connection,
    ems_id: i64,
    /// Leaves rows that are the same as they are.
    spares: bool,
    /// The attributes before, by association and key.
    before: HashMap<(String, String), String>,
    /// In the order of their numbers.
    places: Vec<(String, String)>,
    _folder: TempDir,
}

struct Row {
    association: String,
    key: String,
    name: String,
    uid_ems: Option<String>,
    parent: Option<String>,
    attributes: String,
    /// Set: it is new or was changed, and from what.
    change: Option<(&'static str, Option<String>)>,
}

impl Upserts {
    pub(crate) fn new((folder, EmsId(ems_id)): (TempDir, EmsId), spares: bool) -> Self {
        let connection = Connection::open(folder.path().join("bench.db")).unwrap();
        let pragmas = "PRAGMA journal_mode = wal; PRAGMA synchronous = full; PRAGMA wal_autocheckpoint = 1000; \
             PRAGMA cache_size = -65536; PRAGMA foreign_keys = on; PRAGMA temp_store = memory";
        connection.execute_batch(pragmas).unwrap();
        Self {
            connection,
            ems_id,
            spares,
            before: HashMap::new(),
            places: Vec::new(),
            _folder: folder,
        }
    }

    /// How long the writing of this step takes.
    pub(crate) fn step(&mut self, step: Step, collected: &Collected) -> Duration {
        if step == Step::Archived {
            return measure::once(|| self.archive()).0;
        }
        let rows = self.rows(collected);
        measure::once(|| self.upsert(&rows)).0
    }

    fn rows(&mut self, collected: &Collected) -> Vec<Row> {
        let mut rows = Vec::new();
        for (association, objects) in &collected.collections {
            for object in objects {
                let text = |name: &str| Some(object.attributes.get(name)?.as_str()?.to_owned());
                let key = serde_json::to_string(&object.manager_ref).unwrap();
                let attributes = serde_json::to_string(&object.attributes).unwrap();
                let place = (association.to_string(), key.clone());
                let before = self.before.insert(place.clone(), attributes.clone());
                if before.is_none() {
                    self.places.push(place);
                }
                rows.push(Row {
                    association: association.to_string(),
                    key,
                    name: text("name").unwrap(),
                    uid_ems: text("uid_ems"),
                    parent: object.parent.as_ref().map(|parent| {
                        let key = serde_json::to_string(&parent.manager_ref).unwrap();
                        format!("{} {key}", parent.association)
                    }),
                    change: match before {
                        Some(before) if before == attributes => None,
                        Some(before) => Some(("updated", Some(before))),
                        None => Some(("created", None)),
                    },
                    attributes,
                });
            }
        }
        rows
    }

    fn upsert(&self, rows: &[Row]) {
        let sparing = if self.spares {
            "WHERE attributes <> excluded.attributes OR archived_on IS NOT NULL OR parent IS NOT excluded.parent"
        } else {
            ""
        };
        let sql = format!(
            "INSERT INTO inventory_objects \
             (ems_id, association, manager_ref, name, uid_ems, parent, attributes, created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) \
             ON CONFLICT (ems_id, association, manager_ref) DO UPDATE SET name = excluded.name, \
             uid_ems = excluded.uid_ems, parent = excluded.parent, attributes = excluded.attributes, \
             updated_at = excluded.updated_at, archived_on = NULL {sparing} RETURNING id"
        );
        let mut upsert = self.connection.prepare(&sql).unwrap();
        let mut history = self.history();
        for batch in rows.chunks(BATCH) {
            self.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            for row in batch {
                let params = params![
                    self.ems_id,
                    row.association,
                    row.key,
                    row.name,
                    row.uid_ems,
                    row.parent,
                    row.attributes,
                    NOW
                ];
                let mut written = upsert.query(params).unwrap();
                let id: Option<i64> = written.next().unwrap().map(|row| row.get(0).unwrap());
                drop(written);
                if let Some((change, before)) = &row.change {
                    history
                        .execute(params![id, 1, NOW, change, before, row.attributes])
                        .unwrap();
                }
            }
            self.connection.execute_batch("COMMIT").unwrap();
        }
    }

    fn archive(&self) {
        let sql = "UPDATE inventory_objects SET archived_on = ?4, updated_at = ?4 \
             WHERE ems_id = ?1 AND association = ?2 AND manager_ref = ?3 RETURNING id";
        let mut archive = self.connection.prepare(sql).unwrap();
        let mut history = self.history();
        for batch in self.places.chunks(BATCH) {
            self.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            for place in batch {
                let ((association, key), before) = (place, self.before.get(place).unwrap());
                let id: i64 = archive
                    .query_row(params![self.ems_id, association, key, NOW], |row| row.get(0))
                    .unwrap();
                history
                    .execute(params![id, 1, NOW, "archived", before, None::<&str>])
                    .unwrap();
            }
            self.connection.execute_batch("COMMIT").unwrap();
        }
    }

    fn history(&self) -> Statement<'_> {
        let sql = "INSERT INTO inventory_history (object_id, refresh_id, changed_at, change, before, after) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.connection.prepare(sql).unwrap()
    }
}
