-- Of a refusal: the field of the query that was at fault.
ALTER TABLE asks ADD COLUMN field TEXT NOT NULL DEFAULT '';
