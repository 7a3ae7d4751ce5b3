-- Servers that share a database. Their moments are the database's own, so that no server's clock counts.
ALTER TABLE nodes ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN kind TEXT NOT NULL DEFAULT 'server';
ALTER TABLE nodes ADD COLUMN place TEXT NOT NULL DEFAULT '';        -- its data directory, under whatever name
ALTER TABLE nodes ADD COLUMN address TEXT;
ALTER TABLE nodes ADD COLUMN labels TEXT NOT NULL DEFAULT '[]';
ALTER TABLE nodes ADD COLUMN capacity BIGINT NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN busy BIGINT NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN settings TEXT;                         -- a checksum of the tasks its settings file defines

-- Who plans, until when. The term rises with each change of hands.
CREATE TABLE leadership (
    name       TEXT PRIMARY KEY,
    holder     TEXT NOT NULL,
    term       BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- The name of the node that had the last attempt, and so its log; NULL where one server has the database to itself.
ALTER TABLE runs ADD COLUMN node TEXT;
