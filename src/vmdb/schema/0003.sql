-- Refreshes that run: what became of each, and what they know of a manager and of its objects.

ALTER TABLE refresh_queue ADD COLUMN merged_into INTEGER;   -- set: its targets wait in this one, which failed before
ALTER TABLE refresh_queue ADD COLUMN joined_at INTEGER;     -- when something was asked for last; 0: it is urgent
ALTER TABLE refresh_queue ADD COLUMN progress TEXT;         -- how far it is, for people
ALTER TABLE refresh_queue ADD COLUMN changes TEXT;          -- how many objects were created, updated, ...; as JSON
CREATE UNIQUE INDEX refresh_queue_running ON refresh_queue (ems_id) WHERE state = 1;

ALTER TABLE ext_management_systems ADD COLUMN last_refresh_date INTEGER;
ALTER TABLE ext_management_systems ADD COLUMN last_refresh_success_date INTEGER;
ALTER TABLE ext_management_systems ADD COLUMN last_full_refresh_date INTEGER;
ALTER TABLE ext_management_systems ADD COLUMN last_refresh_error TEXT;

ALTER TABLE inventory_objects ADD COLUMN parent TEXT;       -- association and key of the object it belongs to
CREATE INDEX inventory_children ON inventory_objects (ems_id, parent) WHERE parent IS NOT NULL AND archived_on IS NULL;
CREATE INDEX inventory_history_refresh ON inventory_history (refresh_id, id) WHERE refresh_id IS NOT NULL;
