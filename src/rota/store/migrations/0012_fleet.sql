-- Claims of a run that nothing came of: they say nothing about its work.
ALTER TABLE runs ADD COLUMN returned BIGINT NOT NULL DEFAULT 0;

-- What the command is to be told that works on a run on another machine, in order.
CREATE TABLE run_messages (
    run_id {id} NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq    BIGINT NOT NULL,
    line   TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
);
