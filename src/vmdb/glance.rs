//! A glance at a database for names to offer: read-only, short, and content with nothing.
//!
//! Whoever presses a key in a shell must neither make a database, nor bring one to a newer schema, nor wait for one.

use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::params;

use crate::model::clock::Timestamp;
use crate::vmdb::Audit;
use crate::vmdb::DatabaseUrl;
use crate::vmdb::MessageKind;
use crate::vmdb::MessageState;
use crate::vmdb::RefreshState;
use crate::vmdb::VmdbError;

/// The most names of a kind.
const MOST: usize = 200;

/// A database that is looked at.
#[derive(Debug)]
pub struct Glance(Audit);

/// A name, and what people know it by.
pub type Named = (String, String);

impl Glance {
    /// Opens a database that is there; none where it cannot be read as it is.
    pub fn at(url: &DatabaseUrl) -> Option<Self> {
        url.exists().then(|| Audit::open(url).ok().map(Self))?
    }

    /// The managers, with their kinds.
    pub fn managers(&self) -> Vec<Named> {
        let sql = "SELECT name, provider FROM ext_management_systems WHERE removed_at IS NULL ORDER BY name LIMIT ?1";
        self.look(|connection| rows(connection, sql, |row| Ok((row.get(0)?, row.get(1)?))))
    }

    /// The types of events that are saved, with their groups.
    pub fn event_types(&self) -> Vec<Named> {
        let sql =
            "SELECT event_type, min(group_name) FROM event_kinds GROUP BY event_type ORDER BY 1 LIMIT ?1";
        self.look(|connection| rows(connection, sql, |row| Ok((row.get(0)?, row.get(1)?))))
    }

    /// The newest events, with their times and types.
    pub fn events(&self) -> Vec<Named> {
        let sql = "SELECT id, ifnull(timestamp, received_at), event_type FROM event_streams ORDER BY id DESC LIMIT ?1";
        let event = |row: &Row<'_>| {
            let time = Timestamp::from_microsecond(row.get(1)?).unwrap_or(Timestamp::UNIX_EPOCH);
            let time = time.strftime("%Y-%m-%dT%H:%M:%SZ");
            Ok((number(row)?, format!("{time} {}", row.get::<_, String>(2)?)))
        };
        self.look(|connection| rows(connection, sql, event))
    }

    /// The newest refreshes, with their managers and states.
    pub fn refreshes(&self) -> Vec<Named> {
        let sql = "SELECT r.id, r.state, e.name FROM refresh_queue r \
                   JOIN ext_management_systems e ON e.id = r.ems_id ORDER BY r.id DESC LIMIT ?1";
        let refresh = |row: &Row<'_>| {
            let state = RefreshState::from_number(row.get(1)?).map_or("", RefreshState::as_str);
            Ok((number(row)?, format!("{} {state}", row.get::<_, String>(2)?)))
        };
        self.look(|connection| rows(connection, sql, refresh))
    }

    /// Messages and outside effects that wait, those that failed first.
    pub fn messages(&self) -> Vec<Named> {
        let sql = "SELECT id, state, kind, error FROM (\
                     SELECT id, state, kind, error FROM miq_queue \
                     UNION ALL SELECT id, state, ?2, error FROM outbox WHERE state <> 3) \
                   ORDER BY state = 0, id LIMIT ?1";
        let message = |row: &Row<'_>| {
            let state = MessageState::from_number(row.get(1)?).map_or("", MessageState::as_str);
            let kind = MessageKind::from_number(row.get(2)?).map_or("", MessageKind::as_str);
            let error: Option<String> = row.get(3)?;
            Ok((
                number(row)?,
                format!("{kind} {state} {}", error.unwrap_or_default()),
            ))
        };
        self.look(|connection| {
            let mut query = connection.prepare(sql)?;
            let parameters = params![limit(), MessageKind::Outbox.number()];
            query.query_map(parameters, message)?.collect()
        })
    }

    /// The associations of the inventory.
    pub fn associations(&self) -> Vec<String> {
        // Each is found by one step in the index, however many objects it has.
        let sql = "WITH RECURSIVE found(ems_id, association) AS (
                     SELECT e.id, (SELECT min(association) FROM inventory_objects WHERE ems_id = e.id)
                       FROM ext_management_systems e
                     UNION ALL
                     SELECT f.ems_id, (SELECT min(association) FROM inventory_objects
                                       WHERE ems_id = f.ems_id AND association > f.association)
                       FROM found f WHERE f.association IS NOT NULL)
                   SELECT DISTINCT association FROM found WHERE association IS NOT NULL ORDER BY 1 LIMIT ?1";
        self.look(|connection| rows(connection, sql, |row| row.get(0)))
    }

    /// Objects of an association whose `ems_ref` begins so, with their names.
    pub fn objects(&self, association: &str, beginning: &str) -> Vec<Named> {
        let sql = "SELECT DISTINCT json_extract(o.manager_ref, '$.ems_ref'), ifnull(o.name, '') \
                   FROM ext_management_systems e CROSS JOIN inventory_objects o \
                   ON o.ems_id = e.id AND o.association = ?2 AND o.manager_ref >= ?3 AND o.manager_ref < ?4 \
                   WHERE o.archived_on IS NULL LIMIT ?1";
        let text = serde_json::json!({ "ems_ref": beginning }).to_string();
        let from = text.strip_suffix("\"}").unwrap_or(&text);
        let to = format!("{from}{}", char::MAX);
        self.look(|connection| {
            let mut query = connection.prepare(sql)?;
            let parameters = params![limit(), association, from, to];
            query
                .query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    /// What cannot be read is not offered.
    fn look<T>(&self, look: impl FnOnce(&Connection) -> rusqlite::Result<Vec<T>>) -> Vec<T> {
        let looked = |connection| Ok::<_, VmdbError>(look(connection)?);
        self.0.connection().and_then(looked).unwrap_or_default()
    }
}

fn number(row: &Row<'_>) -> rusqlite::Result<String> {
    Ok(row.get::<_, i64>(0)?.to_string())
}

fn limit() -> i64 {
    i64::try_from(MOST).unwrap_or(i64::MAX)
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare(sql)?.query_map([limit()], read)?.collect()
}
