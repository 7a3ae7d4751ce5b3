-- What each node says of itself beside: how long it may be silent, which version it is, and where it differs from others.
ALTER TABLE nodes ADD COLUMN lost_after BIGINT NOT NULL DEFAULT 8000000;  -- microseconds; it has ended its work long before
ALTER TABLE nodes ADD COLUMN version TEXT;
ALTER TABLE nodes ADD COLUMN schema_number BIGINT;                        -- the newest migration that it knows
ALTER TABLE nodes ADD COLUMN clock_off BIGINT NOT NULL DEFAULT 0;         -- its clock is so far ahead of the database's
ALTER TABLE nodes ADD COLUMN parts TEXT NOT NULL DEFAULT '{}';            -- a short checksum of each part of its settings

-- Logs of pruned runs that other nodes still have: each deletes its own when it is there.
CREATE TABLE gone_logs (
    node       TEXT NOT NULL,                                             -- its name
    run_id     {id} NOT NULL,
    task_name  TEXT NOT NULL,
    created_at BIGINT NOT NULL,                                           -- of the run
    gone_at    BIGINT NOT NULL,
    PRIMARY KEY (node, run_id)
);
