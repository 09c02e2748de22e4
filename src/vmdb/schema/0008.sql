-- Why a refresh of single objects reads everything in the end; none where it does not.
ALTER TABLE refresh_queue ADD COLUMN widened TEXT;

-- The event by which an object changed, where it was no refresh that found it.
ALTER TABLE inventory_history ADD COLUMN event_id INTEGER;
