-- What the author of a task wrote, for surfaces that give it back as it came in.
CREATE TABLE written (
    task_id {id} PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
    text    TEXT NOT NULL
);
