-- When a key was last shown, to within some minutes.
ALTER TABLE credentials ADD COLUMN used_at BIGINT;
