-- The latest digests of keys and of objects: a row of each transaction with all of its entries, 8 bytes of digest and
-- 8 of event_id each, in place of a row an entry.
ALTER TABLE event_keys RENAME TO old_event_keys;
CREATE TABLE event_keys (
  id      INTEGER PRIMARY KEY,
  entries BLOB NOT NULL
) STRICT;
INSERT INTO event_keys (entries)
  SELECT unhex(group_concat(printf('%016X%016X', digest, event_id), '')) FROM old_event_keys HAVING count(*) > 0;
DROP TABLE old_event_keys;

ALTER TABLE event_refs RENAME TO old_event_refs;
CREATE TABLE event_refs (
  id      INTEGER PRIMARY KEY,
  entries BLOB NOT NULL
) STRICT;
INSERT INTO event_refs (entries)
  SELECT unhex(group_concat(printf('%016X%016X', digest, event_id), '')) FROM old_event_refs HAVING count(*) > 0;
DROP TABLE old_event_refs;
