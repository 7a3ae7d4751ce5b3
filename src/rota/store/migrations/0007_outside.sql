-- Runs that are kept for workers from outside.
CREATE INDEX runs_offered ON runs (task_id, admission, id) WHERE admission = 'offered';
CREATE INDEX runs_offered_key ON runs (concurrency_key) WHERE concurrency_key IS NOT NULL AND admission = 'offered';

-- Who has one of them, and until when. A line whose fence is not its run's any more means nothing.
CREATE TABLE leases (
    run_id    {id} PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    fence     BIGINT NOT NULL,
    until_at  BIGINT NOT NULL,
    silence_s DOUBLE PRECISION NOT NULL,
    is_idle   INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX leases_until ON leases (until_at);

-- Secret variables of one run, for as long as it lives.
CREATE TABLE run_secrets (
    run_id {id} NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (run_id, name)
);

-- What the API of projects knows of a run beyond what the engine does.
CREATE TABLE project_runs (
    run_id      {id} PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    task_id     {id} NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    environment TEXT NOT NULL,                  -- local · cloud
    status      TEXT,                           -- shown instead of the engine's until the run is claimed again or ends
    status_fence BIGINT NOT NULL DEFAULT 0,     -- the fence at which that was told
    stage       TEXT,
    branch      TEXT,
    error       TEXT,                           -- instead of the engine's
    output      TEXT,                           -- what was told of it so far
    state       TEXT NOT NULL,
    resumes_id  {id},                           -- the run that it goes on with
    updated_at  BIGINT NOT NULL
);
CREATE INDEX project_runs_task ON project_runs (task_id, run_id);
CREATE INDEX project_runs_stage ON project_runs (task_id, stage) WHERE stage IS NOT NULL;
