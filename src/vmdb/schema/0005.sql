-- How rules fare: what became of each instance on each day (days since the epoch), written with the decisions.
CREATE TABLE rule_figures (
  instance TEXT NOT NULL,                           -- /Domain/Namespace/Class/Instance
  day      INTEGER NOT NULL,
  fired    INTEGER NOT NULL,                        -- how often it was built, whatever became of it
  failed   INTEGER NOT NULL,                        -- an error arose in it
  stopped  INTEGER NOT NULL,                        -- one of its assertions was not true
  budget   INTEGER NOT NULL,                        -- the largest share of its script budget, in thousandths
  last_at  INTEGER NOT NULL,
  PRIMARY KEY (instance, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX rule_figures_day ON rule_figures (day);

-- Which rules were in force when, and which were refused.
CREATE TABLE reloads (
  id         INTEGER PRIMARY KEY,
  at         INTEGER NOT NULL,
  before     BLOB,                                  -- the rules until then; unknown for the first
  after      BLOB,                                  -- the rules from then on; none where they were refused
  changes    TEXT NOT NULL,                         -- the files: {"added": [], "changed": [], "removed": []}
  difference TEXT,                                  -- the text of what changed, as a unified diff
  findings   TEXT,                                  -- why they were refused, as check prints it
  took       INTEGER NOT NULL                       -- microseconds
) STRICT;
CREATE INDEX reloads_at ON reloads (at);

-- What people had the program do, on a page or by the API.
CREATE TABLE audit_log (
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  who     TEXT NOT NULL,                            -- token, session or loopback
  action  TEXT NOT NULL,
  subject TEXT NOT NULL,
  result  TEXT NOT NULL
) STRICT;
