-- Which arm of an experiment an exchange was of, as `experiment/arm`; empty when of none.
ALTER TABLE record ADD COLUMN arm TEXT NOT NULL DEFAULT '';
CREATE INDEX record_arm ON record (arm, began_ms) WHERE arm <> '';
