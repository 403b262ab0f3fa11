-- Slow asks are found, and compared by duration, in their index alone: of asks that took half a second most took
-- hardly more. The same holds for the indexes by partner, outcome and code.
DROP INDEX asks_slow;
CREATE INDEX asks_slow ON asks (slow, at_ms, token, took_ms, partner, outcome, code) WHERE slow > 0;
