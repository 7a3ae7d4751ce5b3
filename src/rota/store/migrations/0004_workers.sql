-- Which worker has, or had, the last attempt of a run that a fleet carries out. A claim that nobody may take any more is closed.
CREATE TABLE placements (
    run_id    {id} PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    fence     BIGINT NOT NULL,
    worker    TEXT,
    taken_at  BIGINT,
    closed    INTEGER NOT NULL DEFAULT 0,
    finished  TEXT                        -- what it came to, until that is settled
);

-- Sets of labels that work was asked for, each of which has a queue.
CREATE TABLE queues (
    labels TEXT PRIMARY KEY
);

-- What workers wrote into the files of their runs' logs, in order.
CREATE TABLE log_chunks (
    run_id  {id} NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq     BIGINT NOT NULL,
    segment BIGINT NOT NULL,
    file    TEXT NOT NULL,
    at      BIGINT NOT NULL,
    data    TEXT NOT NULL,                -- base64
    PRIMARY KEY (run_id, seq)
);
