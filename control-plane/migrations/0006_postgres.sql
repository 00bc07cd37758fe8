-- The tree of an account is a range of ids, byte by byte. SQLite compares so; a PostgreSQL compares as its people spell.
ALTER TABLE account ALTER COLUMN id TYPE TEXT COLLATE "C";
ALTER TABLE caller ALTER COLUMN account TYPE TEXT COLLATE "C";
ALTER TABLE record ALTER COLUMN account TYPE TEXT COLLATE "C";
