-- One row a task: the record, its queue message and its execution.
-- Times are milliseconds since the Unix epoch, 0 for none.
-- It is run on a new file and on one of an older version, which then gets what is new.
CREATE TABLE IF NOT EXISTS tasks (
    id            BLOB    NOT NULL UNIQUE, -- UUIDv7, 16 bytes: sorts by creation
    status        TEXT    NOT NULL,
    run           INTEGER NOT NULL,
    retries       INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    next_check_at INTEGER NOT NULL,
    checks        INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    lease_until   INTEGER NOT NULL,
    owner         TEXT    NOT NULL,
    execution_id  TEXT    NOT NULL,
    error_type    TEXT    NOT NULL,
    error_message TEXT    NOT NULL,
    attempts      TEXT    NOT NULL,        -- JSON array of task.Attempt, '' for none
    answer        TEXT,                    -- NULL: in table answers
    -- The queue message of this run.
    visible_at    INTEGER NOT NULL,        -- 0: not on the queue
    receives      INTEGER NOT NULL,
    -- The workflow execution of this run.
    execution     TEXT    NOT NULL,        -- its status, '' for none
    definition    INTEGER NOT NULL,        -- definitions.id, 0 for none
    journal       BLOB    NOT NULL,        -- its events, JSON, one a line
    -- What the indexes go by. They change once or twice in a task's life, and
    -- only then are they written: see indexedColumns in row.go.
    live          INTEGER NOT NULL,        -- 1: the task is open, or its execution runs
    dead          INTEGER NOT NULL,        -- 1: the task is in the DLQ
    labels        TEXT    NOT NULL DEFAULT '', -- JSON object, '' for none
    next_attempt_at INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX IF NOT EXISTS tasks_live ON tasks (id, next_check_at) WHERE live = 1;
CREATE INDEX IF NOT EXISTS tasks_dead ON tasks (id) WHERE dead = 1;

-- Answers too large for a row that is written with each step.
CREATE TABLE IF NOT EXISTS answers (
    id   BLOB PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;

-- Idempotency keys.
CREATE TABLE IF NOT EXISTS idempotency_keys (
    expires_at INTEGER NOT NULL,
    digest     BLOB    NOT NULL UNIQUE, -- of its name
    request    BLOB    NOT NULL,        -- a digest of what was asked for
    task_id    BLOB    NOT NULL,
    PRIMARY KEY (expires_at, digest)
) WITHOUT ROWID;

-- The state machine definitions under which executions were started. One that
-- was started goes on under its own when the file changes.
CREATE TABLE IF NOT EXISTS definitions (
    id   INTEGER PRIMARY KEY,
    body TEXT NOT NULL UNIQUE
);

-- The dead letter queue.
CREATE TABLE IF NOT EXISTS dead_letters (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    body       TEXT    NOT NULL,
    sent_at    INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    receives   INTEGER NOT NULL
);

CREATE INDEX IF NOT EXISTS dead_letters_visible ON dead_letters (visible_at);

-- Dead letters that could not be parsed, whole.
CREATE TABLE IF NOT EXISTS quarantine (
    message_id  TEXT PRIMARY KEY,
    body        TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) WITHOUT ROWID;

-- Counts by minute.
CREATE TABLE IF NOT EXISTS metrics (
    name   TEXT    NOT NULL,
    minute INTEGER NOT NULL, -- since the Unix epoch
    count  INTEGER NOT NULL,
    PRIMARY KEY (name, minute)
) WITHOUT ROWID;
