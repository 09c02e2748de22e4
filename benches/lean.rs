//! The floor of the pipeline: one thread that writes the same rows and bytes to SQLite, and does nothing else.
//!
//! The rows are those that the appliance wrote for the same events, read back. Each transaction saves and
//! acknowledges one batch and puts the next one on the queue; targets of a batch are merged in memory.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::params;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use crate::load;

/// Entries of a sealed run of digests, and the pages that it is written as.
const RUN: usize = 48 * 1024;
const RUN_PAGES: usize = 256;

type Row = Vec<Value>;

/// Every row that so many events leave on their way, and the tables that they are in.
pub(crate) struct Rows {
    schema: Vec<String>,
    /// What stands in small tables before the first event: the manager, the steps of traces.
    fixed: Vec<(&'static str, Vec<Row>)>,
    natives: Vec<Row>,
    queue: Vec<Row>,
    events: Vec<Row>,
    /// Entries of the indexes on digests, those of each event together.
    keys: Vec<Vec<u8>>,
    refs: Vec<Vec<u8>>,
    deliveries: Vec<Row>,
}

impl Rows {
    /// The messages on the queue, before anybody handles them.
    pub(crate) fn queue(database: &Path) -> Vec<Row> {
        table(&open(database), "miq_queue", "id")
    }

    /// The rows that are there once all of them are handled.
    pub(crate) fn read(database: &Path, queue: Vec<Row>) -> Self {
        let connection = open(database);
        let natives = table(&connection, "native_events", "id");
        let mut schema = connection
            .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
            .unwrap();
        let schema = schema.query_map([], |row| row.get(0)).unwrap();
        let fixed = [
            "appliance",
            "ext_management_systems",
            "trace_steps",
            "refresh_queue",
        ];
        let targets: usize = connection
            .query_row("SELECT count(*) FROM refresh_targets", [], |row| row.get(0))
            .unwrap();
        let objects: BTreeSet<String> = (0..natives.len()).map(load::vm).collect();
        assert_eq!(targets, objects.len());
        Self {
            schema: schema.map(Result::unwrap).collect(),
            fixed: fixed.map(|name| (name, table(&connection, name, "id"))).into(),
            events: table(&connection, "event_streams", "id"),
            keys: entries(&connection, "event_keys", natives.len()),
            refs: entries(&connection, "event_refs", natives.len()),
            deliveries: numbered_anew(&connection, "deliveries"),
            queue,
            natives,
        }
    }

    /// Writes `count` events, so many in each transaction; how long it took. `ready` waits until these may be written.
    pub(crate) fn write(
        &self,
        database: &Path,
        count: usize,
        batch: usize,
        mut ready: impl FnMut(&Range<usize>),
    ) -> Duration {
        let connection = self.create(database);
        let setting = |name: &str, value: &dyn rusqlite::ToSql| {
            connection
                .pragma_update_and_check(None, name, value, |_| Ok(()))
                .or_else(|_| connection.pragma_update(None, name, value))
                .unwrap();
        };
        setting("journal_mode", &"wal");
        setting("synchronous", &"full");
        setting("wal_autocheckpoint", &1_000);
        setting("cache_size", &-(64 << 10));
        let begin = Instant::now();
        let mut handled = 0..0;
        let mut put = 0..batch.min(count);
        while !put.is_empty() || !handled.is_empty() {
            ready(&put);
            execute(&connection, "BEGIN IMMEDIATE", []);
            self.handle(&connection, handled.clone());
            self.put(&connection, put.clone());
            tally(&connection, put.len(), handled.len());
            execute(&connection, "COMMIT", []);
            handled = put.clone();
            put = put.end..count.min(put.end + batch);
        }
        begin.elapsed()
    }

    fn put(&self, connection: &Connection, range: Range<usize>) {
        for index in range {
            insert(connection, "native_events", &self.natives[index]);
            insert(connection, "miq_queue", &self.queue[index]);
        }
    }

    fn handle(&self, connection: &Connection, range: Range<usize>) {
        let mut targets: BTreeMap<String, (i64, usize, usize)> = BTreeMap::new();
        execute(
            connection,
            "DELETE FROM miq_queue WHERE id BETWEEN ?1 AND ?2",
            [range.start + 1, range.end],
        );
        for index in range.clone() {
            insert(connection, "event_streams", &self.events[index]);
            insert(connection, "deliveries", &self.deliveries[index]);
            let target = format!(r#"{{"ems_ref":"{}"}}"#, load::vm(index));
            let (requests, _, last) = targets.entry(target).or_insert((0, index + 1, 0));
            (*requests, *last) = (*requests + 1, index + 1);
        }
        for (manager_ref, (requests, first, last)) in targets {
            execute(
                connection,
                "INSERT INTO refresh_targets \
                 (refresh_id, association, manager_ref, requests, first_event, last_event) \
                 VALUES (1, 'vms', ?1, ?2, ?3, ?4) ON CONFLICT (refresh_id, association, manager_ref) \
                 DO UPDATE SET requests = requests + excluded.requests, last_event = excluded.last_event",
                params![manager_ref, requests, first, last],
            );
        }
        for index in range.clone() {
            execute(
                connection,
                "INSERT INTO event_refreshes VALUES (?1, 1)",
                [index + 1],
            );
        }
        if !range.is_empty() {
            let sql = "INSERT INTO event_keys (entries) VALUES (?1)";
            execute(connection, sql, [self.keys[range.clone()].concat()]);
            let sql = "INSERT INTO event_refs (entries) VALUES (?1)";
            execute(connection, sql, [self.refs[range].concat()]);
        }
    }

    fn create(&self, database: &Path) -> Connection {
        let connection = Connection::open(database).unwrap();
        connection.set_prepared_statement_cache_capacity(64);
        for sql in &self.schema {
            connection.execute_batch(sql).unwrap();
        }
        for (name, rows) in &self.fixed {
            for row in rows {
                insert(&connection, name, row);
            }
        }
        connection
    }

    /// Adds events to a database that nobody has open, as if they had come and been handled long ago; no disk is
    /// asked to keep anything until the end.
    pub(crate) fn store(&self, database: &Path, count: usize) {
        let connection = Connection::open(database).unwrap();
        connection.set_prepared_statement_cache_capacity(64);
        connection
            .execute_batch(
                "PRAGMA journal_mode = delete; PRAGMA synchronous = off; PRAGMA cache_size = -1000000",
            )
            .unwrap();
        let with_id = |row: &Row, places: &[usize], id: usize| {
            let mut row = row.clone();
            for place in places {
                row[*place] = Value::Integer(i64::try_from(id).unwrap());
            }
            row
        };
        for (name, rows) in &self.fixed[2..] {
            for row in rows {
                insert(&connection, name, row);
            }
        }
        let mut digests = Vec::with_capacity(RUN);
        let mut runs = 0;
        connection.execute_batch("BEGIN").unwrap();
        for id in 1..=count {
            let index = id % self.natives.len();
            insert(
                &connection,
                "native_events",
                &with_id(&self.natives[index], &[0], id),
            );
            insert(
                &connection,
                "event_streams",
                &with_id(&self.events[index], &[0], id),
            );
            insert(
                &connection,
                "deliveries",
                &with_id(&self.deliveries[index], &[1], id),
            );
            execute(&connection, "INSERT INTO event_refreshes VALUES (?1, 1)", [id]);
            digests.push((scattered(id as u64), id));
            if digests.len() == RUN {
                seal(&connection, runs, &mut digests);
                runs += 1;
            }
            if id % 50_000 == 0 {
                connection.execute_batch("COMMIT; BEGIN").unwrap();
            }
        }
        tally(&connection, count, count);
        connection
            .execute_batch("COMMIT; PRAGMA synchronous = full")
            .unwrap();
        connection
            .pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
            .unwrap();
    }
}

/// Digests of keys and of objects that no event has, in the pages of a run.
fn seal(connection: &Connection, run: usize, digests: &mut Vec<(u64, usize)>) {
    digests.sort_unstable();
    for page in 0..RUN_PAGES {
        let of_page = digests
            .iter()
            .filter(|(digest, _)| (digest >> 56) as usize == page);
        let entries: Vec<u8> = of_page
            .flat_map(|(digest, event)| [digest.to_be_bytes(), (*event as u64).to_be_bytes()].concat())
            .collect();
        for table in ["event_key_pages", "event_ref_pages"] {
            let sql = format!("INSERT INTO {table} VALUES (?1, ?2)");
            execute(connection, &sql, params![run << 8 | page, entries]);
        }
    }
    digests.clear();
}

fn scattered(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31);
    mixed.wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

fn tally(connection: &Connection, put: usize, handled: usize) {
    execute(
        connection,
        "INSERT INTO tallies (day, ems_id, received, accepted, duplicate, filtered, refused, delivered, dead, \
         discarded, effects, targets) VALUES (1, 1, ?1, ?1, 0, 0, 0, ?2, 0, 0, ?2, ?2) \
         ON CONFLICT (day, ems_id) DO UPDATE SET received = received + excluded.received, \
         accepted = accepted + excluded.accepted, delivered = delivered + excluded.delivered, \
         effects = effects + excluded.effects, targets = targets + excluded.targets",
        [put, handled],
    );
}

fn open(database: &Path) -> Connection {
    Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// Rows of events, in the order of these, that get new numbers.
fn numbered_anew(connection: &Connection, name: &str) -> Vec<Row> {
    let mut rows = table(connection, name, "event_id, id");
    rows.iter_mut().for_each(|row| row[0] = Value::Null);
    rows
}

/// The entries of an index on digests by their events: eight bytes of the digest, eight of the event.
fn entries(connection: &Connection, name: &str, events: usize) -> Vec<Vec<u8>> {
    let mut entries = vec![Vec::new(); events];
    for row in table(connection, name, "id") {
        let Value::Blob(blob) = &row[1] else {
            panic!("{row:?}")
        };
        for entry in blob.chunks(16) {
            let event = i64::from_be_bytes(entry[8..].try_into().unwrap());
            entries[usize::try_from(event).unwrap() - 1].extend(entry);
        }
    }
    entries
}

fn table(connection: &Connection, name: &str, order: &str) -> Vec<Row> {
    let sql = format!("SELECT * FROM {name} ORDER BY {order}");
    let mut query = connection.prepare(&sql).unwrap();
    let columns = query.column_count();
    let rows = query.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
    rows.unwrap().map(Result::unwrap).collect()
}

fn insert(connection: &Connection, table: &str, row: &Row) {
    // Written out, since putting it together would be work that a lean pipeline has not.
    let sql = match (table, row.len()) {
        ("native_events", 3) => "INSERT INTO native_events VALUES (?, ?, ?)",
        ("deliveries", 8) => "INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        ("miq_queue", 12) => "INSERT INTO miq_queue VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ("event_streams", 24) => {
            "INSERT INTO event_streams VALUES \
             (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        }
        (other, columns) => {
            let places = vec!["?"; columns].join(", ");
            return execute(
                connection,
                &format!("INSERT INTO {other} VALUES ({places})"),
                params_from_iter(row),
            );
        }
    };
    execute(connection, sql, params_from_iter(row));
}

fn execute(connection: &Connection, sql: &str, params: impl rusqlite::Params) {
    connection.prepare_cached(sql).unwrap().execute(params).unwrap();
}
