-- When a stream last brought something new, which is not when it was asked last. Of what came before this is known
-- that it came until then.
ALTER TABLE cursors ADD COLUMN kept_at INTEGER;
UPDATE cursors SET kept_at = saved_at;

-- The inventory of a manager ends with it; what was removed before did not do that.
INSERT INTO inventory_history (object_id, refresh_id, changed_at, change, before, after)
  SELECT o.id, NULL, e.removed_at, 'archived', o.attributes, NULL
  FROM ext_management_systems e JOIN inventory_objects o ON o.ems_id = e.id
  WHERE e.removed_at IS NOT NULL AND o.archived_on IS NULL;
UPDATE inventory_objects SET archived_on = e.removed_at, updated_at = e.removed_at
  FROM ext_management_systems e
  WHERE e.id = ems_id AND e.removed_at IS NOT NULL AND archived_on IS NULL;
