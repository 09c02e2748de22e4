-- Times are microseconds since the epoch, in UTC. Keys ascend, so that inserting touches the last page only.

CREATE TABLE appliance (
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  created_at     INTEGER NOT NULL,
  last_id        INTEGER NOT NULL,                  -- of the messages that are gone and became no event
  clean_shutdown INTEGER NOT NULL                   -- 1 only between an orderly end and the next start
) STRICT;

CREATE TABLE ext_management_systems (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  name        TEXT NOT NULL,
  provider    TEXT NOT NULL,
  url         TEXT,
  credentials TEXT,                                 -- env:NAME or file:PATH
  enabled     INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  removed_at  INTEGER                               -- its events stay readable
) STRICT;
CREATE UNIQUE INDEX ems_names ON ext_management_systems (name) WHERE removed_at IS NULL;

-- What came in, as it came. The id is that of its message, and of the event it becomes.
CREATE TABLE native_events (
  id        INTEGER PRIMARY KEY,
  digest    BLOB NOT NULL,                          -- SHA-256 of full_data
  full_data TEXT NOT NULL
) STRICT;

CREATE TABLE miq_queue (
  id          INTEGER PRIMARY KEY,
  state       INTEGER NOT NULL,                     -- 0 ready, 1 dead, 2 waiting for `due`, 3 parked
  kind        INTEGER NOT NULL,                     -- 0 add, 1 unparsed, 2 deliver
  ems_id      INTEGER NOT NULL REFERENCES ext_management_systems,
  lane        TEXT,                                 -- manager and resource; in order within, side by side across
  attempts    INTEGER NOT NULL,
  crashes     INTEGER NOT NULL,                     -- how often the process ended with the message in hand
  due         INTEGER,
  received_at INTEGER NOT NULL,
  rules_id    BLOB,                                 -- what failed on it last
  error       TEXT,
  payload     TEXT NOT NULL
) STRICT;
CREATE INDEX miq_queue_due  ON miq_queue (due) WHERE state = 2;
CREATE INDEX miq_queue_held ON miq_queue (lane, id) WHERE state > 1 AND lane IS NOT NULL;
CREATE INDEX miq_queue_dead ON miq_queue (id) WHERE state = 1;

CREATE TABLE event_streams (
  id                    INTEGER PRIMARY KEY,        -- in the order of arrival
  ems_id                INTEGER NOT NULL REFERENCES ext_management_systems,
  class                 TEXT NOT NULL,
  event_type            TEXT NOT NULL,
  source                TEXT NOT NULL,
  event_key             TEXT NOT NULL,
  ems_ref               TEXT,
  timestamp             INTEGER,
  received_at           INTEGER NOT NULL,
  group_name            TEXT NOT NULL,
  level                 TEXT NOT NULL,
  chain_id              TEXT,
  vm_or_template_id     INTEGER,
  dest_vm_or_template_id INTEGER,
  host_id               INTEGER,
  dest_host_id          INTEGER,
  availability_zone_id  INTEGER,
  ems_cluster_id        INTEGER,
  container_node_id     INTEGER,
  container_group_id    INTEGER,
  container_replicator_id INTEGER,
  physical_storage_id   INTEGER,
  attributes            TEXT NOT NULL               -- every other key of the event hash
) STRICT;
CREATE INDEX event_streams_chain ON event_streams (chain_id, ems_id) WHERE chain_id IS NOT NULL;

-- One event per manager and key: the digest of both leads to the event, whose row is compared. The latest
-- digests stand here in the order in which they came; from time to time they are sorted into pages.
CREATE TABLE event_keys (
  id       INTEGER PRIMARY KEY,
  event_id INTEGER NOT NULL,
  digest   INTEGER NOT NULL
) STRICT;
CREATE TABLE event_key_pages (
  id      INTEGER PRIMARY KEY,                      -- run * 256 + first byte of the digests
  entries BLOB NOT NULL                             -- 8 bytes of digest, 8 of event_id, sorted
) STRICT;

-- Which events are about which object, by the digest of association and key; kept in the same way.
CREATE TABLE event_refs (
  id       INTEGER PRIMARY KEY,
  event_id INTEGER NOT NULL,
  digest   INTEGER NOT NULL
) STRICT;
CREATE TABLE event_ref_pages (
  id      INTEGER PRIMARY KEY,
  entries BLOB NOT NULL
) STRICT;

CREATE TABLE deliveries (
  id         INTEGER PRIMARY KEY,
  event_id   INTEGER NOT NULL,
  rules_id   BLOB NOT NULL,
  decided_at INTEGER NOT NULL,
  state      TEXT NOT NULL,                         -- delivered, failed or retry
  trace      TEXT NOT NULL,                         -- uri, steps, actions; a number stands for a trace step
  effects    TEXT,
  errors     TEXT
) STRICT;
CREATE TABLE trace_steps (
  id   INTEGER PRIMARY KEY,
  step TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX deliveries_event ON deliveries (event_id);

CREATE TABLE cursors (
  ems_id   INTEGER NOT NULL REFERENCES ext_management_systems,
  stream   TEXT NOT NULL,
  position TEXT NOT NULL,
  saved_at INTEGER NOT NULL,
  PRIMARY KEY (ems_id, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE refresh_queue (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  ems_id       INTEGER NOT NULL REFERENCES ext_management_systems,
  state        INTEGER NOT NULL,                    -- 0 waiting, 1 running, 2 done, 3 failed
  full_reason  TEXT,                                -- set: the whole manager, and why
  requested_at INTEGER NOT NULL,
  due          INTEGER,                             -- set: not before this, after a failure
  started_at   INTEGER,
  finished_at  INTEGER,
  attempts     INTEGER NOT NULL,
  error        TEXT
) STRICT;
CREATE UNIQUE INDEX refresh_queue_waiting ON refresh_queue (ems_id) WHERE state = 0;

CREATE TABLE refresh_targets (
  id          INTEGER PRIMARY KEY,
  refresh_id  INTEGER NOT NULL REFERENCES refresh_queue,
  association TEXT NOT NULL,
  manager_ref TEXT NOT NULL,
  options     TEXT,
  requests    INTEGER NOT NULL,
  first_event INTEGER,
  last_event  INTEGER,
  UNIQUE (refresh_id, association, manager_ref)
) STRICT;

-- Which refresh serves which event.
CREATE TABLE event_refreshes (
  event_id   INTEGER NOT NULL,
  refresh_id INTEGER NOT NULL,
  PRIMARY KEY (event_id, refresh_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_refreshes_refresh ON event_refreshes (refresh_id, event_id);

CREATE TABLE outbox (
  id              INTEGER PRIMARY KEY,
  event_id        INTEGER NOT NULL,
  position        INTEGER NOT NULL,                 -- among the effects of its delivery, from 0
  idempotency_key TEXT NOT NULL,
  action          TEXT NOT NULL,
  state           INTEGER NOT NULL,                 -- 0 ready, 1 dead, 2 waiting for `due`, 3 sent
  attempts        INTEGER NOT NULL,
  due             INTEGER,
  created_at      INTEGER NOT NULL,
  error           TEXT
) STRICT;
CREATE INDEX outbox_open ON outbox (state, id) WHERE state <> 3;
CREATE INDEX outbox_event ON outbox (event_id);

CREATE TABLE inventory_objects (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  ems_id      INTEGER NOT NULL REFERENCES ext_management_systems,
  association TEXT NOT NULL,
  manager_ref TEXT NOT NULL,
  name        TEXT,
  uid_ems     TEXT,
  attributes  TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  archived_on INTEGER,
  UNIQUE (ems_id, association, manager_ref)
) STRICT;
CREATE INDEX inventory_uids ON inventory_objects (ems_id, association, uid_ems) WHERE uid_ems IS NOT NULL;

CREATE TABLE inventory_history (
  id         INTEGER PRIMARY KEY,
  object_id  INTEGER NOT NULL REFERENCES inventory_objects,
  refresh_id INTEGER,
  changed_at INTEGER NOT NULL,
  change     TEXT NOT NULL                          -- created, updated or archived
               CHECK (change IN ('created', 'updated', 'archived')),
  before     TEXT,
  after      TEXT
) STRICT;
CREATE INDEX inventory_history_object ON inventory_history (object_id, id);

-- The books: received = accepted + duplicate + filtered + refused, accepted = delivered + discarded + waiting
-- (the dead wait too, and are counted).
CREATE TABLE tallies (
  day       INTEGER NOT NULL,                       -- days since the epoch
  ems_id    INTEGER NOT NULL,
  received  INTEGER NOT NULL,
  accepted  INTEGER NOT NULL,
  duplicate INTEGER NOT NULL,
  filtered  INTEGER NOT NULL,
  refused   INTEGER NOT NULL,
  delivered INTEGER NOT NULL,
  dead      INTEGER NOT NULL,
  discarded INTEGER NOT NULL,
  effects   INTEGER NOT NULL,
  targets   INTEGER NOT NULL,
  PRIMARY KEY (day, ems_id)
) STRICT, WITHOUT ROWID;
