-- The query log in SQLite. Times are unix milliseconds; an absent text is '', an absent look-up id NULL.

-- One row for every ask, in the order of time, so that the newest page is read in one place.
CREATE TABLE asks (
	token        TEXT    NOT NULL, -- identity
	at_ms        INTEGER NOT NULL, -- arrived
	day          INTEGER NOT NULL, -- of at_ms, counted from 1970
	took_ms      INTEGER NOT NULL, -- until it was answered
	slow         INTEGER NOT NULL, -- 0 under half a second, then one more for each doubling, up to 8
	request      TEXT    NOT NULL, -- the asker's own id, hashed when it may name a person
	run          TEXT    NOT NULL, -- the run that answered it
	partner      TEXT    NOT NULL,
	key_id       BLOB,
	email        TEXT    NOT NULL, -- masked
	email_id     BLOB,             -- keyed hash
	account      TEXT    NOT NULL,
	account_id   BLOB,
	hash_version TEXT    NOT NULL, -- of the hashes' key
	source       TEXT    NOT NULL,
	door         TEXT    NOT NULL,
	subject      TEXT    NOT NULL,
	reply        TEXT    NOT NULL,
	outcome      TEXT    NOT NULL,
	code         TEXT    NOT NULL,
	trace        TEXT    NOT NULL,
	PRIMARY KEY (at_ms, token)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX asks_token ON asks (token);
CREATE INDEX asks_outcome ON asks (partner, outcome, at_ms, token);
CREATE INDEX asks_code ON asks (partner, code, at_ms, token) WHERE code <> '';
CREATE INDEX asks_slow ON asks (slow, at_ms, token) WHERE slow > 0;
CREATE INDEX asks_run ON asks (run, at_ms, token) WHERE run <> '';
-- Indexes for random look-ups begin with the day: a batch then changes the few pages of its day, and not one page for each row
-- (measured at 5 million rows: that halved the rate). A look-up goes through the days, newest first.
CREATE INDEX asks_request ON asks (day, request, at_ms, token) WHERE request <> '';
CREATE INDEX asks_key ON asks (day, key_id, at_ms, token) WHERE key_id IS NOT NULL;
CREATE INDEX asks_email ON asks (day, email_id, at_ms, token) WHERE email_id IS NOT NULL;
CREATE INDEX asks_account ON asks (day, account_id, at_ms, token) WHERE account_id IS NOT NULL;

-- The days that have asks.
CREATE TABLE days (
	day INTEGER NOT NULL PRIMARY KEY
) STRICT;

-- One row for every run of the gateway.
CREATE TABLE runs (
	id           TEXT    NOT NULL PRIMARY KEY,
	at_ms        INTEGER NOT NULL, -- began
	took_ms      INTEGER NOT NULL, -- until its answer was stored
	partner      TEXT    NOT NULL,
	key_id       BLOB,
	email        TEXT    NOT NULL,
	email_id     BLOB,
	account      TEXT    NOT NULL,
	account_id   BLOB,
	hash_version TEXT    NOT NULL,
	outcome      TEXT    NOT NULL,
	code         TEXT    NOT NULL,
	class        TEXT    NOT NULL,
	debit        INTEGER,
	refund       INTEGER,
	verified     TEXT    NOT NULL,
	worker       TEXT    NOT NULL,
	deaths       INTEGER NOT NULL,
	calls        TEXT    NOT NULL  -- JSON: every call with its phases
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_at ON runs (at_ms);

-- Sums by hour (since 1970) and partner, updated with every row, so that no reader ever counts rows.
CREATE TABLE counters (
	hour    INTEGER NOT NULL,
	partner TEXT    NOT NULL,
	name    TEXT    NOT NULL,
	n       INTEGER NOT NULL,
	PRIMARY KEY (hour, partner, name)
) STRICT, WITHOUT ROWID;

-- The same by day, without the times: a list's count adds these up.
CREATE TABLE counters_day (
	name    TEXT    NOT NULL,
	partner TEXT    NOT NULL,
	day     INTEGER NOT NULL,
	n       INTEGER NOT NULL,
	PRIMARY KEY (name, partner, day)
) STRICT, WITHOUT ROWID;

-- Every partner that has an ask: there are few, and each list reads them.
CREATE TABLE partners (
	partner TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Messages of the stream that were not lines: that they existed, without their content.
CREATE TABLE rejected (
	at_ms   INTEGER NOT NULL,
	stream  INTEGER NOT NULL, -- sequence in the stream
	subject TEXT    NOT NULL,
	size    INTEGER NOT NULL,
	reason  TEXT    NOT NULL,
	PRIMARY KEY (at_ms, stream)
) STRICT, WITHOUT ROWID;
