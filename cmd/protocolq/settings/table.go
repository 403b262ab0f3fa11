// The table of settings: each with its field, its documentation and its check.

package settings

import (
	"slices"
	"time"
)

// table lists the settings of c, in the order of the documentation.
func (c *Config) table() []setting {
	return c.sources.watched(slices.Concat(c.contextSettings(), c.natsSettings(), c.reachSettings(),
		c.gatewaySettings(),
		c.workerSettings(), c.logSettings(), c.recordSettings(), c.apiSettings(), c.consoleSettings()))
}

func (c *Config) natsSettings() []setting {
	return []setting{
		checked(list(&c.NATS, setting{name: "nats", fallback: "nats://127.0.0.1:4222",
			context: func() string { return c.context.URL }, usage: "NATS servers, URLs separated by commas"}),
			c.checkNATS),
		checked(text(&c.NATSCreds, setting{name: "nats-creds", kind: kindFile,
			usage: "NATS credentials file, or nkey seed, of the main connection"}),
			func() error { return c.CheckCreds(c.NATSCreds) }),
		checked(text(&c.NATSReplyCreds, setting{name: "nats-reply-creds", kind: kindFile,
			usage: "NATS credentials file, or nkey seed, of the connection that takes queries and replies, whose " +
				"user may publish replies only"}), func() error { return c.CheckCreds(c.NATSReplyCreds) }),
		checked(text(&c.InboxPrefix, setting{name: "inbox-prefix", kind: "subject",
			usage: "first tokens of the inboxes that this user may subscribe to; by default _INBOX for askers, else " +
				"_INBOX_ops, _INBOX_recorder or _INBOX_provisioner; a worker always has _INBOX_wk and _INBOX_wr"}),
			c.checkInboxPrefix),
		checked(text(&c.Prefix, setting{name: "prefix", kind: "subject", fallback: "protocol",
			usage: "first tokens of every subject, and in capitals of every stream's name"}), c.checkPrefix),
	}
}

func (c *Config) gatewaySettings() []setting {
	return []setting{
		checked(text(&c.GatewayURL, setting{name: "gateway-url", kind: "URL",
			fallback: "https://mapi.alipay.com/gateway.do", usage: "URL of the gateway"}), c.checkGatewayURL),
		toggle(&c.UnsafeGateway, setting{name: "unsafe-gateway",
			usage: "send signed queries to a host that is not the known gateway; http only to this machine"}),
		toggle(&c.GatewayProxyFromEnv, setting{name: "gateway-proxy-from-env",
			usage: "reach the gateway through the proxy of HTTPS_PROXY, except for the hosts of NO_PROXY"}),
		span(&c.GatewayReuseAfter, 0, 30*time.Second,
			setting{name: "gateway-reuse-after", fallback: "0s",
				usage: "how long a connection must be idle before it carries another question; a stray answer that " +
					"comes later would be believed; 0s: each connection carries one question"}),
		text(&c.AccountParam, setting{name: "account-param", kind: "name", fallback: "trans_account",
			usage: "the account's parameter name on the wire"}),
		checked(text(&c.Partner, setting{name: "partner", kind: "id",
			usage: "partner id, 2088 and 12 digits; the default for queries that name none"}), c.checkPartner),
		checked(text(&c.SignType, setting{name: "sign-type", kind: "name", fallback: "MD5",
			usage: "signature type: MD5, RSA, RSA2 or DSA"}), c.checkSignType),
		checked(text(&c.Charset, setting{name: "charset", kind: "name", fallback: "utf-8",
			usage: "_input_charset: utf-8, gbk or gb2312"}), c.checkCharset),
		text(&c.KeyFile, setting{name: "key-file", kind: kindFile, usage: "the partner's signing key"}),
		text(&c.AlipayPublicKeyFile, setting{name: "alipay-public-key-file", kind: kindFile,
			usage: "the gateway's public key, to verify signed answers (RSA, RSA2, DSA)"}),
		{name: "partners", kind: "list",
			usage: "several partners, file only: id, sign_type, charset, key_file, public_key_file, rate, " +
				"concurrency of each", node: c.parsePartners, shown: c.shownPartners, schema: partnersSchema()},
		span(&c.CallTimeout, 200*time.Millisecond, time.Minute,
			setting{name: "call-timeout", fallback: "8s", usage: "how long one call of the gateway may take in total"}),
	}
}

func (c *Config) workerSettings() []setting {
	return []setting{
		count(&c.Slots, 1, 100_000,
			setting{name: "slots", fallback: "256", usage: "calls in flight at most, in one worker"}),
		count(&c.Parked, 1, 10_000_000, setting{name: "parked", fallback: "50000",
			usage: "how many asks of a worker may wait to be written to the journal, half of them from one asker; " +
				"further asks are answered OVERLOADED"}),
		span(&c.Window, time.Second, year,
			setting{name: "window", fallback: "24h", usage: "how long the answer to a given key is remembered"}),
		span(&c.Freshness, time.Second, year, setting{name: "freshness", fallback: "60s",
			usage: "how long the answer to an equal question is remembered"}),
		span(&c.Cooldown, time.Second, day,
			setting{name: "cooldown", fallback: "30s",
				usage: "how long a question is not asked again after a failure"}),
		span(&c.MinAge, 0, time.Hour,
			setting{name: "min-age", fallback: "2s", usage: "an answer this young is fresh enough for any max_age_ms"}),
		span(&c.AskPatience, time.Second, time.Hour, setting{name: "ask-patience", fallback: "30s",
			usage: "how long an asker without a deadline is assumed to wait"}),
		span(&c.Patience, time.Second, year, setting{name: "patience", fallback: "24h",
			usage: "how long a submitted query without a deadline is tried"}),
		span(&c.Lease, time.Second, 10*time.Minute, setting{name: "lease", fallback: "12s",
			usage: "how long after its last stored sign of life a dead worker's call may still be under way; until " +
				"then the gateway is not asked about its key again"}),
		choice(&c.AfterCrash, []string{"rerun", "fail"},
			setting{name: "after-crash", fallback: "rerun",
				usage: "what happens to the call of a worker that died: asked again, or answered as unknown"}),
		list(&c.ReplyAllow, setting{name: "reply-allow", fallback: "_INBOX,_INBOX_,_R_.,{prefix}.reply.",
			usage: "prefixes of allowed reply subjects; {prefix} is the setting prefix"}),
		span(&c.Grace, 0, 10*time.Minute,
			setting{name: "grace", fallback: "15s", usage: "how long calls in flight may take after a signal"}),
		count(&c.Attempts, 1, 100, setting{name: "attempts", fallback: "5", usage: "calls for one question at most"}),
		span(&c.RetryInitial, time.Millisecond, time.Minute,
			setting{name: "retry-initial", fallback: "100ms",
				usage: "middle of the first wait between two attempts; it grows from there"}),
		count(&c.RetryBudget, 1, 1_000_000, setting{name: "retry-budget", fallback: "10",
			usage: "how many retries one worker may make at once, beyond one for every ten calls"}),
		count(&c.Rate, 0, 100_000, setting{name: "rate", fallback: "0",
			usage: "calls a second for one partner, over the whole fleet; 0 is no limit"}),
		count(&c.Concurrency, 0, 100_000, setting{name: "concurrency", fallback: "0",
			usage: "calls in flight for one partner, over the whole fleet; 0 is no limit"}),
		toggle(&c.CloudEvents,
			setting{name: "cloud-events", usage: "events also carry the headers of CloudEvents 1.0"}),
		span(&c.RetryMax, time.Millisecond, 10*time.Minute,
			setting{name: "retry-max", fallback: "2.5s", usage: "middle of the longest wait between two attempts"}),
		span(&c.RetryAfterMax, time.Second, day, setting{name: "retry-after-max", fallback: "5m",
			usage: "longest Retry-After of the gateway (429, 503) that is obeyed; a longer one counts as this long"}),
	}
}

func (c *Config) logSettings() []setting {
	return []setting{
		toggle(&c.StrictFiles, setting{name: "strict-files",
			usage: "refuse to start if others may read or change a key file; otherwise only warn"}),
		checked(text(&c.HTTPListen, setting{name: "http-listen", kind: "host:port",
			usage: "address of /livez, /readyz, /startupz and /metrics; :8080 is 127.0.0.1:8080, 0.0.0.0:8080 all of " +
				"this machine's addresses; without it nothing listens"}), c.checkListen),
		checked(text(&c.OTLPEndpoint, setting{name: "otlp-endpoint", kind: "URL",
			usage: "where to send traces, OTLP over HTTP, such as http://127.0.0.1:4318, to which /v1/traces is " +
				"added; default: OTEL_EXPORTER_OTLP_ENDPOINT; without either there are none"}), c.checkOTLP),
		checked(text(&c.LogLevel, setting{name: "log-level", kind: "level", fallback: "info",
			usage: "debug, info, warn or error"}), c.checkLogLevel),
		choice(&c.LogFormat, []string{"auto", "text", "json"},
			setting{name: "log-format", fallback: "auto", usage: "auto is text on a terminal, JSON otherwise"}),
	}
}
