-- How far a run has come, as its work tells it: 0 to 100.
ALTER TABLE runs ADD COLUMN progress INTEGER;

-- What a module keeps for the next run of its task: a JSON object.
CREATE TABLE module_state (
    task_id    {id} PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
    state      TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);
