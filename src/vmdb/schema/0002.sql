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
