-- A whole number for each task of a module that a user has, for a surface whose ids are such, with what its clients keep there.
CREATE TABLE numbered_tasks (
    number         {serial},
    task_id        {id} NOT NULL UNIQUE REFERENCES tasks (id) ON DELETE CASCADE,
    owner_id       {id} NOT NULL,                   -- of the task, so that an owner's list needs no join
    frontend_prefs TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX numbered_tasks_owner ON numbered_tasks (owner_id, number);
