-- Moments are microseconds since 1970 in UTC. Ids are UUIDv7 in canonical text form. Documents are JSON text.
-- {id} is text that compares by bytes, {serial} a primary key that counts up: the two words the dialects spell differently.

CREATE TABLE users (
    id            {id} NOT NULL UNIQUE,
    number        {serial},                     -- for surfaces whose user ids are integers
    name          TEXT NOT NULL UNIQUE,
    email         TEXT,
    kind          TEXT NOT NULL,                -- user · agent
    password_hash TEXT,
    rights        TEXT NOT NULL DEFAULT '[]',
    scopes        TEXT,                         -- of an agent: what it may do, whatever it shows
    webhook_url   TEXT,                         -- of an agent: is told of its tasks' failures
    created_at    BIGINT NOT NULL,
    removed_at    BIGINT
);

CREATE TABLE credentials (
    id           {id} PRIMARY KEY,
    user_id      {id} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL,                 -- native · fylr · nla · posthog · agent
    hash         TEXT NOT NULL UNIQUE,          -- SHA-256 of the secret, which is random enough to need no salt
    scopes       TEXT,
    project_ids  TEXT,
    created_at   BIGINT NOT NULL,
    revoked_at   BIGINT
);

CREATE TABLE projects (
    id         {serial},
    name       TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE memberships (
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    user_id    {id} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    joined_at  BIGINT NOT NULL,
    PRIMARY KEY (project_id, user_id)
);

CREATE TABLE tasks (
    id         {id} PRIMARY KEY,
    owner_id   {id} REFERENCES users (id),
    source     TEXT NOT NULL,
    status     TEXT NOT NULL,
    name       TEXT NOT NULL,
    topic      TEXT,                            -- of an event schedule
    schedule_kind TEXT,
    dedupe_key TEXT,
    is_service INTEGER NOT NULL DEFAULT 0,
    doc        TEXT NOT NULL,
    version    INTEGER NOT NULL DEFAULT 1,
    anchor_at  BIGINT NOT NULL,
    cursor_at  BIGINT NOT NULL,
    next_at    BIGINT,
    jitter_s   DOUBLE PRECISION NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX tasks_name ON tasks (COALESCE(owner_id, ''), name) WHERE status <> 'removed';
CREATE INDEX tasks_owner ON tasks (COALESCE(owner_id, ''), id) WHERE status <> 'removed';
CREATE INDEX tasks_topic ON tasks (topic) WHERE topic IS NOT NULL AND status = 'active';
CREATE INDEX tasks_dedupe ON tasks (dedupe_key) WHERE dedupe_key IS NOT NULL AND status = 'active';
CREATE INDEX tasks_jitter ON tasks (id) WHERE jitter_s > 0 AND status = 'active';
CREATE INDEX tasks_service ON tasks (id) WHERE is_service = 1 AND status <> 'removed';
CREATE INDEX tasks_next ON tasks (next_at) WHERE next_at IS NOT NULL AND status = 'active';

CREATE TABLE runs (
    id             {id} PRIMARY KEY,
    task_id        {id} NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    owner_id       {id},                        -- of its task, so that an owner's list needs no join
    state          TEXT NOT NULL,
    admission      TEXT,                        -- of a pending run: ticked · gated · new · ready · held
    trigger_kind   TEXT NOT NULL,
    nominal_at     BIGINT,
    created_at     BIGINT NOT NULL,
    due_at         BIGINT NOT NULL,
    started_at     BIGINT,
    ended_at       BIGINT,
    attempt        INTEGER NOT NULL DEFAULT 0,
    attempt_id     {id},                        -- of the current attempt, where it is not the first: that has the run's
    attempt_at     BIGINT,                      -- when that attempt was settled on
    fence          BIGINT NOT NULL DEFAULT 0,
    holder         TEXT,
    resumed        INTEGER NOT NULL DEFAULT 0,  -- its next claim goes on with the attempt it has
    priority       INTEGER NOT NULL DEFAULT 5 CHECK (priority BETWEEN 1 AND 9),
    concurrency_key TEXT,
    dedupe_key     TEXT,                        -- owner and key
    instance       INTEGER,
    params         TEXT NOT NULL DEFAULT '{}',
    exit_code      INTEGER,
    output         TEXT,
    error          TEXT,
    reason         TEXT,
    cause_run_id   {id},
    depth          INTEGER NOT NULL DEFAULT 0,
    actor_id       TEXT,
    first_line     BIGINT NOT NULL DEFAULT 0,   -- where the current attempt begins in the log
    stop_cause     TEXT,                        -- asked to end, and why
    cancel_requested_at BIGINT,
    cancel_delivered_at BIGINT,
    gate_until     BIGINT,                      -- of a run that goes through the jitter gate: when it starts at the latest
    gate_s         DOUBLE PRECISION,            -- the length of its window
    deleted_at     BIGINT                       -- hidden since, and soon gone
);
-- Work is found through these; history is in none of them. What their condition fixes is a column too, so that the planner
-- prefers them to the index of all runs of a task.
CREATE INDEX runs_new ON runs (priority, due_at, id) WHERE admission = 'new';
CREATE INDEX runs_ready ON runs (priority, due_at, id) WHERE admission = 'ready';
CREATE INDEX runs_ready_task ON runs (task_id, admission, id) WHERE admission = 'ready';
CREATE INDEX runs_held ON runs (task_id, admission, priority, due_at, id) WHERE admission = 'held';
CREATE INDEX runs_held_key ON runs (concurrency_key, priority, due_at, id) WHERE concurrency_key IS NOT NULL AND admission = 'held';
CREATE INDEX runs_active_key ON runs (concurrency_key) WHERE concurrency_key IS NOT NULL AND (state = 'running' OR admission = 'ready');
-- A refused run is no reason to refuse the next, so refused ones are not in it.
CREATE INDEX runs_dedupe ON runs (dedupe_key, created_at, id) WHERE dedupe_key IS NOT NULL AND state NOT IN ('skipped', 'queue_full', 'missed');
CREATE INDEX runs_stopping ON runs (holder, id) WHERE stop_cause IS NOT NULL AND state = 'running';
CREATE INDEX runs_running ON runs (task_id, state, id) WHERE state = 'running';
CREATE INDEX runs_instance ON runs (task_id, instance) WHERE instance IS NOT NULL AND ended_at IS NULL;
CREATE INDEX runs_gate ON runs (gate_until, id) WHERE gate_until IS NOT NULL AND ended_at IS NULL;
CREATE INDEX runs_pending ON runs (id, task_id, owner_id) WHERE state = 'pending';
-- Lists. Those by state hold ended runs alone: an index that every claim and settlement changes costs a third of their speed.
CREATE INDEX runs_task ON runs (task_id, id);
CREATE INDEX runs_owner ON runs (owner_id, id) WHERE owner_id IS NOT NULL;
CREATE INDEX runs_installation ON runs (id) WHERE owner_id IS NULL;
CREATE INDEX runs_ended ON runs (state, id) WHERE ended_at IS NOT NULL;
CREATE INDEX runs_ended_task ON runs (task_id, state, id) WHERE ended_at IS NOT NULL;
CREATE INDEX runs_ended_owner ON runs (owner_id, state, id) WHERE owner_id IS NOT NULL AND ended_at IS NOT NULL;
-- Runs past their first attempt are few, and so are those that somebody deletes.
CREATE INDEX runs_attempt ON runs (attempt_id) WHERE attempt_id IS NOT NULL;
CREATE INDEX runs_attempt_task ON runs (task_id, attempt_id) WHERE attempt_id IS NOT NULL;
CREATE INDEX runs_deleted ON runs (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE attempts (
    id         {id} NOT NULL,                   -- the first attempt has its run's
    run_id     {id} NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task_id    {id} NOT NULL,
    number     INTEGER NOT NULL,
    state      TEXT NOT NULL,
    reason     TEXT,
    created_at BIGINT NOT NULL,                 -- when it was settled on
    started_at BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL,
    exit_code  INTEGER,
    output     TEXT,
    error      TEXT,
    first_line BIGINT NOT NULL DEFAULT 0,
    deleted_at BIGINT,
    PRIMARY KEY (run_id, number)
);
CREATE INDEX attempts_id ON attempts (id);
CREATE INDEX attempts_task ON attempts (task_id, id);
CREATE INDEX attempts_deleted ON attempts (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE slots (
    task_id    {id} NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    nominal_at BIGINT NOT NULL,
    run_id     {id},
    outcome    TEXT,                            -- set where there is no run, or when its run is pruned
    reason     TEXT,
    PRIMARY KEY (task_id, nominal_at)
);
CREATE INDEX slots_run ON slots (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE steps (
    run_id     {id} NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    name       TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    ended_at   BIGINT NOT NULL,
    PRIMARY KEY (run_id, position)
);

CREATE TABLE instances (
    task_id       {id} NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    number        INTEGER NOT NULL,
    restarts      INTEGER NOT NULL DEFAULT 0,
    fast_failures INTEGER NOT NULL DEFAULT 0,
    start_at      BIGINT,
    fatal         INTEGER NOT NULL DEFAULT 0,
    done          INTEGER NOT NULL DEFAULT 0,
    asked         INTEGER NOT NULL DEFAULT 0,  -- somebody asked for its next start
    PRIMARY KEY (task_id, number)
);

CREATE TABLE events (
    seq          {serial},
    id           {id} NOT NULL UNIQUE,
    topic        TEXT NOT NULL,
    payload      TEXT NOT NULL,
    at           BIGINT NOT NULL,
    actor_id     TEXT,
    cause_run_id {id},
    depth        INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX events_at ON events (at);

CREATE TABLE idempotency_keys (
    actor_id     TEXT NOT NULL,
    key          TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    run_id       {id} NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (actor_id, key)
);

-- Who changed what, written with the change.
CREATE TABLE audit (
    id         {id} PRIMARY KEY,
    actor_id   TEXT NOT NULL,
    action     TEXT NOT NULL,
    subject_id TEXT,
    details    TEXT NOT NULL,
    at         BIGINT NOT NULL
);
CREATE INDEX audit_at ON audit (at);

CREATE TABLE nodes (
    id         TEXT PRIMARY KEY,
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL
);

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE revoked_tokens (
    id         {id} PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_expire ON revoked_tokens (expires_at);

-- What is to be told to somebody outside, written with the change that it tells of.
CREATE TABLE deliveries (
    id         {id} PRIMARY KEY,
    lane       TEXT NOT NULL,                   -- order is kept within one
    target     TEXT NOT NULL,
    address    TEXT NOT NULL,
    form       TEXT,
    body       TEXT,
    mergeable  INTEGER NOT NULL DEFAULT 0,
    run_id     {id},
    owner_id   {id},
    status     TEXT NOT NULL,                   -- waiting · delivered · failed · merged · dropped
    attempts   INTEGER NOT NULL DEFAULT 0,
    holder     TEXT,                            -- being sent by this server
    created_at BIGINT NOT NULL,
    due_at     BIGINT NOT NULL,
    give_up_at BIGINT,                          -- NULL: a single try
    ended_at   BIGINT,
    error      TEXT
);
CREATE INDEX deliveries_due ON deliveries (target, due_at, id) WHERE status = 'waiting' AND holder IS NULL;
CREATE INDEX deliveries_lane ON deliveries (lane, id) WHERE status = 'waiting';
CREATE INDEX deliveries_held ON deliveries (holder) WHERE holder IS NOT NULL;
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX deliveries_run ON deliveries (run_id, id) WHERE run_id IS NOT NULL;

CREATE TABLE delivery_attempts (
    delivery_id {id} NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    at          BIGINT NOT NULL,
    duration_s  DOUBLE PRECISION NOT NULL,
    code        INTEGER,
    error       TEXT,
    PRIMARY KEY (delivery_id, number)
);

CREATE TABLE callbacks (
    run_id     {id} PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    url        TEXT NOT NULL,
    form       TEXT NOT NULL,
    is_retried INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE notifications (
    id          {id} PRIMARY KEY,
    owner_id    {id},
    kind        TEXT NOT NULL,
    severity    TEXT NOT NULL,
    title       TEXT NOT NULL,
    body        TEXT NOT NULL,
    task_id     {id},
    task_name   TEXT,
    run_id      {id},
    attempt_id  {id},
    fingerprint TEXT NOT NULL,
    count       INTEGER NOT NULL,
    occurrences TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    last_at     BIGINT NOT NULL,
    read_at     BIGINT,
    untold      INTEGER NOT NULL DEFAULT 1      -- watchers have not heard of the last change
);
CREATE INDEX notifications_unread ON notifications (COALESCE(owner_id, '')) WHERE read_at IS NULL;
CREATE INDEX notifications_owner ON notifications (COALESCE(owner_id, ''), id);
CREATE INDEX notifications_untold ON notifications (id) WHERE untold = 1;

-- Like happenings that are told together.
CREATE TABLE alerts (
    fingerprint     TEXT PRIMARY KEY,
    ends_at         BIGINT NOT NULL,
    held            INTEGER NOT NULL DEFAULT 0,
    note            TEXT NOT NULL,
    notification_id {id}
);
CREATE INDEX alerts_ends ON alerts (ends_at);
