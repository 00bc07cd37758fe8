-- Attempts that were made beside one that was slow, among those of a minute.
ALTER TABLE health_minute ADD COLUMN hedges BIGINT NOT NULL DEFAULT 0;
