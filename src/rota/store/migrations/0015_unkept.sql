-- Not those of runs that said nothing: they would be gone through each time, for ever.
DROP INDEX run_logs_unkept;
CREATE INDEX run_logs_unkept ON run_logs (run_id) WHERE is_whole = 1 AND kept_seq = 0 AND seq > base;
