-- The timeline: what became of each event (model::event_outcome), and how many there were of which kind, counted in
-- the transaction that saves them. Every start of a minute or an hour is in seconds since the epoch.
ALTER TABLE event_streams ADD COLUMN outcome INTEGER NOT NULL DEFAULT 2;
UPDATE event_streams SET outcome = CASE
  (SELECT state FROM deliveries WHERE event_id = event_streams.id ORDER BY deliveries.id DESC LIMIT 1)
  WHEN 'failed' THEN 4
  WHEN 'retry' THEN 5
  ELSE iif(EXISTS (SELECT 1 FROM deliveries WHERE event_id = event_streams.id AND effects IS NOT NULL), 0, 2)
END;

CREATE TABLE event_kinds (
  id         INTEGER PRIMARY KEY,
  event_type TEXT NOT NULL,
  group_name TEXT NOT NULL,
  level      TEXT NOT NULL,
  UNIQUE (event_type, group_name, level)
) STRICT;
INSERT INTO event_kinds (event_type, group_name, level)
  SELECT DISTINCT event_type, group_name, level FROM event_streams;

CREATE TABLE event_minutes (
  start   INTEGER NOT NULL,
  ems_id  INTEGER NOT NULL,
  kind_id INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  events  INTEGER NOT NULL,
  PRIMARY KEY (start, ems_id, kind_id, outcome)
) STRICT, WITHOUT ROWID;
INSERT INTO event_minutes
  SELECT (t - (t % 60000000 + 60000000) % 60000000) / 1000000, ems_id, kind_id, outcome, count(*) FROM
    (SELECT ifnull(e.timestamp, e.received_at) t, e.ems_id, k.id kind_id, e.outcome FROM event_streams e
     JOIN event_kinds k USING (event_type, group_name, level))
  GROUP BY 1, 2, 3, 4;

CREATE TABLE event_hours (
  start   INTEGER NOT NULL,
  ems_id  INTEGER NOT NULL,
  kind_id INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  events  INTEGER NOT NULL,
  PRIMARY KEY (start, ems_id, kind_id, outcome)
) STRICT, WITHOUT ROWID;
INSERT INTO event_hours
  SELECT start - (start % 3600 + 3600) % 3600, ems_id, kind_id, outcome, sum(events) FROM event_minutes
  GROUP BY 1, 2, 3, 4;
