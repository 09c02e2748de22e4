//! Which effects are the first of their lanes: all that may be sent, since in a lane one follows another.
//!
//! A look costs the same however much waits: the oldest effects are looked at in their order, and where few lanes have
//! them all the lanes are, some at a time.

use std::sync::Arc;

use ahash::HashMap;
use rusqlite::Connection;
use rusqlite::ToSql;
use rusqlite::params;

use crate::vmdb::VmdbError;

/// How many of the oldest effects are looked at.
const OLDEST: i64 = 1_024;

/// The lanes that have an effect in hand, and where the next look at lanes begins.
#[derive(Debug, Default)]
pub(crate) struct EffectLanes {
    /// The effect in hand of each.
    pub(crate) in_hand: HashMap<Arc<str>, i64>,
    behind: Arc<str>,
}

/// The first effect of a lane.
pub(crate) type Head = (i64, Arc<str>);

impl EffectLanes {
    /// The first effects of lanes that have none in hand, where they may be sent now: the oldest ones of those that
    /// were looked at, `most` at most.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn heads(
        &mut self,
        connection: &Connection,
        now: i64,
        most: usize,
    ) -> Result<Vec<Head>, VmdbError> {
        // Any of those in hand may be among the first.
        let limit = i64::try_from(most + self.in_hand.len()).unwrap_or(i64::MAX);
        let mut found = oldest(connection, limit)?;
        found.extend(due(connection, limit, now)?);
        self.keep_free(&mut found);
        if found.len() < most {
            found.extend(self.of_more_lanes(connection, limit, now)?);
            self.keep_free(&mut found);
        }
        found.truncate(most);
        Ok(found)
    }

    fn keep_free(&self, found: &mut Vec<Head>) {
        found.retain(|(_, lane)| !self.in_hand.contains_key(lane));
        found.sort_unstable();
        found.dedup();
    }

    /// The first effects of the lanes behind those that were looked at last; from the beginning after the last lane.
    fn of_more_lanes(
        &mut self,
        connection: &Connection,
        most: i64,
        now: i64,
    ) -> Result<Vec<Head>, VmdbError> {
        let mut query = connection.prepare_cached(
            "WITH RECURSIVE lanes(lane, number) AS ( \
               SELECT (SELECT min(lane) FROM outbox WHERE state IN (0, 2) AND lane > ?1), 1 \
               UNION ALL \
               SELECT (SELECT min(lane) FROM outbox WHERE state IN (0, 2) AND lane > lanes.lane), number + 1 \
               FROM lanes WHERE lane IS NOT NULL AND number < ?2) \
             SELECT o.id, o.lane, o.state = 0 OR o.due <= ?3 FROM lanes JOIN outbox o ON o.id = \
               (SELECT min(id) FROM outbox WHERE state IN (0, 2) AND lane = lanes.lane)",
        )?;
        let mut rows = query.query(params![&*self.behind, most, now])?;
        let (mut found, mut last, mut lanes) = (Vec::new(), None, 0);
        while let Some(row) = rows.next()? {
            let lane: Arc<str> = row.get::<_, String>(1)?.into();
            if row.get(2)? {
                found.push((row.get(0)?, lane.clone()));
            }
            (last, lanes) = (Some(lane), lanes + 1);
        }
        self.behind = last.filter(|_| lanes == most).unwrap_or_default();
        Ok(found)
    }
}

/// Among the oldest new effects.
fn oldest(connection: &Connection, most: i64) -> Result<Vec<Head>, VmdbError> {
    heads(
        connection,
        "(SELECT id, lane FROM outbox WHERE state <> 3 AND state = 0 ORDER BY id LIMIT ?2)",
        "id",
        params![most, OLDEST],
    )
}

/// Among those that failed and are due again.
fn due(connection: &Connection, most: i64, now: i64) -> Result<Vec<Head>, VmdbError> {
    heads(
        connection,
        "(SELECT id, lane, due FROM outbox WHERE state = 2 AND due <= ?2)",
        "due",
        params![most, now],
    )
}

fn heads(
    connection: &Connection,
    of: &str,
    order: &str,
    parameters: &[&dyn ToSql],
) -> Result<Vec<Head>, VmdbError> {
    let mut query = connection.prepare_cached(&format!(
        "SELECT id, lane FROM {of} o WHERE NOT EXISTS \
         (SELECT 1 FROM outbox p WHERE p.state IN (0, 2) AND p.lane = o.lane AND p.id < o.id) \
         ORDER BY {order} LIMIT ?1"
    ))?;
    let rows = query.query_map(parameters, |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?.into()))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::EffectLanes;
    use super::OLDEST;

    /// An outbox with effects by number, lane, state and when they are due.
    fn outbox(effects: impl IntoIterator<Item = (i64, String, i64, Option<i64>)>) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE outbox (id INTEGER PRIMARY KEY, lane TEXT, state INTEGER, due INTEGER);
                 CREATE INDEX outbox_open ON outbox (state, id) WHERE state <> 3;
                 CREATE INDEX outbox_lane ON outbox (lane, id) WHERE state IN (0, 2);
                 CREATE INDEX outbox_due  ON outbox (due) WHERE state = 2; BEGIN",
            )
            .unwrap();
        for (id, lane, state, due) in effects {
            let sql = "INSERT INTO outbox VALUES (?1, ?2, ?3, ?4)";
            connection.execute(sql, (id, lane, state, due)).unwrap();
        }
        connection.execute_batch("COMMIT").unwrap();
        connection
    }

    fn numbers(lanes: &mut EffectLanes, connection: &Connection, most: usize) -> Vec<i64> {
        let heads = lanes.heads(connection, 100, most).unwrap();
        heads.into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn the_first_of_each_lane_is_found_unless_it_waits_or_another_of_its_lane_is_in_hand() {
        let effect = |id, lane: &str, state, due| (id, lane.to_owned(), state, due);
        let connection = outbox([
            effect(1, "sent", 3, None),
            effect(2, "dead", 1, None),
            effect(3, "waits", 2, Some(101)),
            effect(4, "waits", 0, None),
            effect(5, "due", 2, Some(100)),
            effect(6, "due", 0, None),
            effect(7, "new", 0, None),
            effect(8, "new", 0, None),
            effect(9, "in hand", 0, None),
            effect(10, "in hand", 0, None),
            effect(11, "dead", 0, None),
        ]);
        let mut lanes = EffectLanes::default();
        lanes.in_hand.insert("in hand".into(), 9);
        assert_eq!(numbers(&mut lanes, &connection, 99), [5, 7, 11]);
        assert_eq!(numbers(&mut lanes, &connection, 2), [5, 7]);
    }

    #[test]
    fn a_lane_behind_a_long_one_has_its_turn_and_so_has_each_of_many() {
        let long = (1..=3 * OLDEST).map(|id| (id, "m long".to_owned(), 0, None));
        let others = (1..=9).map(|number| (3 * OLDEST + number, (5 * number % 17).to_string(), 0, None));
        let connection = outbox(long.chain(others));
        let mut lanes = EffectLanes::default();
        let all: Vec<i64> = [1]
            .into_iter()
            .chain((1..=9).map(|number| 3 * OLDEST + number))
            .collect();
        assert_eq!(numbers(&mut lanes, &connection, 99), all);
        // Some at a time, each held from then on.
        let mut seen = Vec::new();
        for _look in 0..6 {
            let heads = lanes.heads(&connection, 100, 3).unwrap();
            seen.extend(heads.iter().map(|(id, _)| *id));
            lanes
                .in_hand
                .extend(heads.into_iter().map(|(id, lane)| (lane, id)));
        }
        seen.sort_unstable();
        assert_eq!(seen, all);
    }

    #[test]
    fn a_look_asks_the_indexes() {
        let connection = outbox([]);
        let sql = "EXPLAIN QUERY PLAN SELECT min(lane) FROM outbox WHERE state IN (0, 2) AND lane > ?1";
        let plan: String = connection.query_row(sql, [""], |row| row.get(3)).unwrap();
        assert_eq!(plan, "SEARCH outbox USING INDEX outbox_lane (lane>?)");
    }
}
