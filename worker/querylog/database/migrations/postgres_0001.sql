-- The query log in PostgreSQL: the tables of SQLite, with a part for each month, which is dropped when it is too old.
-- Parts are made when rows come; each has its own index that keeps identities unique.

CREATE TABLE asks (
	token        TEXT COLLATE "C" NOT NULL, -- identity
	at_ms        BIGINT   NOT NULL, -- arrived, unix milliseconds
	took_ms      BIGINT   NOT NULL, -- until it was answered
	slow         SMALLINT NOT NULL, -- 0 under half a second, then one more for each doubling, up to 8
	request      TEXT COLLATE "C" NOT NULL, -- the asker's own id, hashed when it may name a person
	run          TEXT COLLATE "C" NOT NULL, -- the run that answered it
	partner      TEXT COLLATE "C" NOT NULL,
	key_id       BYTEA,
	email        TEXT     NOT NULL, -- masked
	email_id     BYTEA,             -- keyed hash
	account      TEXT     NOT NULL,
	account_id   BYTEA,
	hash_version TEXT     NOT NULL, -- of the hashes' key
	source       TEXT     NOT NULL,
	door         TEXT     NOT NULL,
	subject      TEXT     NOT NULL,
	reply        TEXT     NOT NULL,
	outcome      TEXT COLLATE "C" NOT NULL,
	code         TEXT COLLATE "C" NOT NULL,
	trace        TEXT     NOT NULL,
	PRIMARY KEY (at_ms, token)
) PARTITION BY RANGE (at_ms);
CREATE INDEX asks_outcome ON asks (partner, outcome, at_ms, token);
CREATE INDEX asks_code ON asks (partner, code, at_ms, token) WHERE code <> '';
CREATE INDEX asks_slow ON asks (slow, at_ms, token) WHERE slow > 0;
CREATE INDEX asks_request ON asks (request, at_ms, token) WHERE request <> '';
CREATE INDEX asks_run ON asks (run, at_ms, token) WHERE run <> '';
CREATE INDEX asks_key ON asks (key_id, at_ms, token) WHERE key_id IS NOT NULL;
CREATE INDEX asks_email ON asks (email_id, at_ms, token) WHERE email_id IS NOT NULL;
CREATE INDEX asks_account ON asks (account_id, at_ms, token) WHERE account_id IS NOT NULL;

CREATE TABLE runs (
	id           TEXT COLLATE "C" NOT NULL,
	at_ms        BIGINT   NOT NULL, -- began
	took_ms      BIGINT   NOT NULL, -- until its answer was stored
	partner      TEXT COLLATE "C" NOT NULL,
	key_id       BYTEA,
	email        TEXT     NOT NULL,
	email_id     BYTEA,
	account      TEXT     NOT NULL,
	account_id   BYTEA,
	hash_version TEXT     NOT NULL,
	outcome      TEXT     NOT NULL,
	code         TEXT     NOT NULL,
	class        TEXT     NOT NULL,
	debit        BOOLEAN,
	refund       BOOLEAN,
	verified     TEXT     NOT NULL,
	worker       TEXT     NOT NULL,
	deaths       INTEGER  NOT NULL,
	calls        JSONB    NOT NULL -- every call with its phases
) PARTITION BY RANGE (at_ms);
CREATE INDEX runs_id ON runs (id);
CREATE INDEX runs_at ON runs (at_ms);

-- Sums by hour (since 1970) and partner, updated with every row. Pages keep room, as the rows of the present hour change all the time.
CREATE TABLE counters (
	hour    BIGINT NOT NULL,
	partner TEXT COLLATE "C" NOT NULL,
	name    TEXT COLLATE "C" NOT NULL,
	n       BIGINT NOT NULL,
	PRIMARY KEY (hour, partner, name)
) WITH (fillfactor = 50);

-- The same by day, without the times: a list's count adds these up.
CREATE TABLE counters_day (
	name    TEXT COLLATE "C" NOT NULL,
	partner TEXT COLLATE "C" NOT NULL,
	day     BIGINT NOT NULL,
	n       BIGINT NOT NULL,
	PRIMARY KEY (name, partner, day)
) WITH (fillfactor = 50);

-- Every partner that has an ask.
CREATE TABLE partners (
	partner TEXT COLLATE "C" NOT NULL PRIMARY KEY
);

-- Messages of the stream that were not lines: that they existed, without their content.
CREATE TABLE rejected (
	at_ms   BIGINT  NOT NULL,
	stream  BIGINT  NOT NULL, -- sequence in the stream
	subject TEXT    NOT NULL,
	size    INTEGER NOT NULL,
	reason  TEXT    NOT NULL,
	PRIMARY KEY (at_ms, stream)
);
