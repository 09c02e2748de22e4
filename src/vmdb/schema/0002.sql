-- Outside effects are sent: in order within a lane, numbered like messages, so that one number means one thing.
ALTER TABLE outbox ADD COLUMN lane TEXT;            -- that of its event, or of the event itself
ALTER TABLE outbox ADD COLUMN sent_at INTEGER;      -- state 3 without it: discarded
ALTER TABLE outbox ADD COLUMN answer TEXT;          -- what the receiver said
UPDATE outbox SET lane = 'event/' || event_id;
UPDATE outbox SET id = -id;
UPDATE outbox SET id = (
  SELECT max(last_id, ifnull((SELECT max(id) FROM miq_queue), 0), ifnull((SELECT max(id) FROM event_streams), 0))
  FROM appliance) - id;
CREATE INDEX outbox_lane ON outbox (lane, id) WHERE state IN (0, 2);
CREATE INDEX outbox_due  ON outbox (due) WHERE state = 2;

-- The timeline: events by when they happened, or were received where they do not say. Such times nearly ascend.
CREATE INDEX event_streams_time ON event_streams (ifnull(timestamp, received_at));
-- Pages of one collection of the inventory.
CREATE INDEX inventory_associations ON inventory_objects (association, id);

-- Purge. `delivered - purged` is the number of rows in event_streams.
ALTER TABLE tallies ADD COLUMN purged INTEGER NOT NULL DEFAULT 0;
-- The time that ages are counted from: it follows the clock, at most a day from one purge to the next.
ALTER TABLE appliance ADD COLUMN purge_time INTEGER;

-- The events whose state machines go on later: not purged.
CREATE INDEX miq_queue_deliver ON miq_queue (iif(json_valid(payload), payload ->> '$.event', NULL))
  WHERE kind = 2;

-- Keys of events that were purged before their time was over, so that a repeat is still known as one.
CREATE TABLE purged_keys (
  event_id    INTEGER PRIMARY KEY,
  received_at INTEGER NOT NULL,
  digest      BLOB NOT NULL                         -- SHA-256 of manager and key, the first 16 bytes
) STRICT;

-- How the catcher of each manager fares, as the process that serves last wrote it: for those who look from outside.
CREATE TABLE catchers (
  ems_id    INTEGER PRIMARY KEY REFERENCES ext_management_systems,
  wanted    INTEGER NOT NULL,                       -- whether the manager is to have one
  stream    TEXT,                                   -- poll or file
  state     TEXT NOT NULL,                          -- stopped, connecting, running or backing_off
  reason    TEXT,                                   -- why that, or why none is wanted
  since     INTEGER,
  until     INTEGER,                                -- when it tries again
  broke_off INTEGER NOT NULL,                       -- how often, since it was started
  seen_at   INTEGER NOT NULL                        -- the last sign of life of who wrote it
) STRICT;
