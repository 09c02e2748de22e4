-- Purge. `delivered - purged` is the number of rows in event_streams.
ALTER TABLE tallies ADD COLUMN purged INTEGER NOT NULL DEFAULT 0;
-- The time that ages are counted from: it follows the clock, at most a day from one purge to the next.
ALTER TABLE appliance ADD COLUMN purge_time INTEGER;

-- Events by age; the oldest go first. Nearly ascending, so that it costs next to nothing.
CREATE INDEX event_streams_age ON event_streams (ifnull(timestamp, received_at));
-- The events whose state machines go on later: not purged.
CREATE INDEX miq_queue_deliver ON miq_queue (iif(json_valid(payload), payload ->> '$.event', NULL))
  WHERE kind = 2;

-- Keys of events that were purged before their time was over, so that a repeat is still known as one.
CREATE TABLE purged_keys (
  event_id    INTEGER PRIMARY KEY,
  received_at INTEGER NOT NULL,
  digest      BLOB NOT NULL                         -- SHA-256 of manager and key, the first 16 bytes
) STRICT;
