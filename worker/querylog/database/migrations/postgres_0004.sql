-- What took long is found, and told from what took longer, in its index alone: of those that took half a second most took
-- hardly more. So are the partner's, the outcome's and the code's.
DROP INDEX asks_slow;
CREATE INDEX asks_slow ON asks (slow, at_ms, token, took_ms, partner, outcome, code) WHERE slow > 0;
