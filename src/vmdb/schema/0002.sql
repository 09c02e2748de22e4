-- The timeline: events by when they happened, or were received where they do not say. Such times nearly ascend.
CREATE INDEX event_streams_time ON event_streams (ifnull(timestamp, received_at));
-- Pages of one collection of the inventory.
CREATE INDEX inventory_associations ON inventory_objects (association, id);
