-- Numbers of a project's tasks: the next one, never given twice.
ALTER TABLE projects ADD COLUMN next_number BIGINT NOT NULL DEFAULT 0;

-- What a task is inside a project, beside what every task is. What is long stands last, so that lists need not read it.
CREATE TABLE project_tasks (
    task_id            {id} PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
    project_id         BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    number             BIGINT NOT NULL,
    created_by         {id} REFERENCES users (id),
    origin_product     TEXT NOT NULL,
    repository         TEXT,                    -- lower case
    internal           INTEGER NOT NULL,
    archived           INTEGER NOT NULL,
    archived_at        BIGINT,
    title_manually_set INTEGER NOT NULL,
    github_integration BIGINT,
    github_user_integration {id},
    signal_report      {id},
    updated_at         BIGINT NOT NULL,
    deleted_at         BIGINT,                  -- its task was removed; the number stays taken
    title              TEXT NOT NULL,
    ci_prompt          TEXT,
    json_schema        TEXT,
    description        TEXT NOT NULL,
    folded             TEXT NOT NULL            -- title and description as a search compares them
);
CREATE UNIQUE INDEX project_tasks_number ON project_tasks (project_id, number);
-- Holds all that most filters ask for, in the order of the list.
CREATE INDEX project_tasks_listed ON project_tasks
    (project_id, internal, archived, task_id, created_by, origin_product, repository, deleted_at) WHERE deleted_at IS NULL;

CREATE TABLE report_links (
    task_id      {id} NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    report_id    {id} NOT NULL,
    relationship TEXT NOT NULL,
    PRIMARY KEY (task_id, report_id)
);

-- Devices of users that are told of the ends of runs.
CREATE TABLE push_tokens (
    id           {id} PRIMARY KEY,
    user_id      {id} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token        TEXT NOT NULL UNIQUE,
    platform     TEXT NOT NULL,                 -- ios · android · web
    created_at   BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL
);
CREATE INDEX push_tokens_user ON push_tokens (user_id, last_seen_at, id);

-- Which device watches which task, and until when that counts.
CREATE TABLE presence (
    task_id       {id} NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    push_token_id {id} NOT NULL REFERENCES push_tokens (id) ON DELETE CASCADE,
    user_id       {id} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id    BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    last_seen_at  BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    PRIMARY KEY (task_id, push_token_id)
);
CREATE INDEX presence_token ON presence (push_token_id);

-- Until when nobody is told of the like of a run again.
CREATE TABLE push_cooldowns (
    run_id  {id} NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    kind    TEXT NOT NULL,
    ends_at BIGINT NOT NULL,
    PRIMARY KEY (run_id, kind)
);
