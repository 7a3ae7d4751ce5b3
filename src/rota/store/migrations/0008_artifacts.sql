-- Files of runs. A row is there before its object can be, so that no object is ever without one.
CREATE TABLE artifacts (
    id           {id} PRIMARY KEY,
    task_id      {id} NOT NULL,
    run_id       {id} REFERENCES runs (id) ON DELETE SET NULL,  -- the row outlives its run until the object is deleted
    state        TEXT NOT NULL,                 -- prepared · staged · attached · doomed
    position     INTEGER,                       -- in the run's manifest
    name         TEXT NOT NULL,
    type         TEXT NOT NULL,
    source       TEXT NOT NULL,
    size         BIGINT NOT NULL,
    content_type TEXT NOT NULL,
    object_key   TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    uploaded_at  BIGINT NOT NULL,
    expires_at   BIGINT                         -- goes at this moment; NULL: with its run
);
CREATE INDEX artifacts_run ON artifacts (run_id, position) WHERE run_id IS NOT NULL;
CREATE INDEX artifacts_expiring ON artifacts (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX artifacts_orphaned ON artifacts (state, id) WHERE run_id IS NULL AND state = 'attached';
