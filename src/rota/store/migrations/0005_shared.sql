-- Tasks that every user may run, and what a run remembers of the document that it was started from.
ALTER TABLE tasks ADD COLUMN shared INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN title TEXT;        -- of a shared task
CREATE UNIQUE INDEX tasks_shared_name ON tasks (name) WHERE shared = 1 AND status <> 'removed';
CREATE UNIQUE INDEX tasks_shared_title ON tasks (title) WHERE shared = 1 AND status <> 'removed' AND title IS NOT NULL;

ALTER TABLE runs ADD COLUMN task_version INTEGER;

-- Documents that were changed, of tasks whose runs keep what they began with.
CREATE TABLE revisions (
    task_id {id} NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    doc     TEXT NOT NULL,
    PRIMARY KEY (task_id, version)
);

-- The form that the author of an agent drew for people.
CREATE TABLE agent_forms (
    task_id {id} PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
    fields  TEXT NOT NULL
);
