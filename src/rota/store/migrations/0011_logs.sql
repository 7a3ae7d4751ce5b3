-- How far a log was told to other machines, and by whom. What is not told is in the files of the writer alone.
CREATE TABLE run_logs (
    run_id   {id} PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    writer   TEXT NOT NULL,               -- a server by its data directory, a worker by its id
    base     BIGINT NOT NULL,             -- chunks up to this one count no more: the log was told anew
    seq      BIGINT NOT NULL,             -- of the newest chunk
    mark     TEXT NOT NULL,               -- how far its files were told
    is_whole INTEGER NOT NULL,            -- the writer has nothing more to tell
    drawn    TEXT,                        -- what is not a line yet
    kept_seq BIGINT NOT NULL DEFAULT 0    -- chunks up to this one are in objects
);
CREATE INDEX run_logs_unkept ON run_logs (run_id) WHERE is_whole = 1 AND kept_seq = 0;

INSERT INTO run_logs (run_id, writer, base, seq, mark, is_whole)
SELECT c.run_id, COALESCE(MAX(p.worker), ''), 0, MAX(c.seq), '[]', 1
FROM log_chunks c LEFT JOIN placements p ON p.run_id = c.run_id GROUP BY c.run_id;

-- Objects with parts of logs. A row is there before its object can be, and stays until that is deleted.
CREATE TABLE log_objects (
    object_key TEXT PRIMARY KEY,
    run_id     {id} REFERENCES runs (id) ON DELETE SET NULL,
    last_seq   BIGINT NOT NULL,           -- of the newest chunk in it
    is_used    INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX log_objects_run ON log_objects (run_id, last_seq) WHERE run_id IS NOT NULL;
CREATE INDEX log_objects_orphaned ON log_objects (object_key) WHERE run_id IS NULL;
