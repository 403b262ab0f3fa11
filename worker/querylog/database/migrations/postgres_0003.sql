-- What operators did to the log: who, when, what and how many rows, never whose.
CREATE TABLE audit (at_ms BIGINT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL);
CREATE INDEX audit_at ON audit (at_ms);
