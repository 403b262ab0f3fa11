-- What operators did to the log: who, when, what, how many; never to whom.
CREATE TABLE audit (at_ms BIGINT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL);
CREATE INDEX audit_at ON audit (at_ms);
