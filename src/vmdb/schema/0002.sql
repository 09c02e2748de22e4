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
