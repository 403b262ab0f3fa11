-- For a refusal: the field of the query that was wrong.
ALTER TABLE asks ADD COLUMN field TEXT NOT NULL DEFAULT '';
