// Every setting of the program: the Config, its defaults, its documentation and what makes it
// usable, in one table.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"protocolq/gateway/mapi"
	"protocolq/messages"
)

// Config is what the worker and the other commands can be told. Secrets are only ever named by a
// file's path.
type Config struct {
	NATS           []string // URLs
	NATSCreds      string
	NATSReplyCreds string
	Prefix         string

	GatewayURL          string
	UnsafeGateway       bool
	GatewayReuseAfter   time.Duration
	GatewayProxyFromEnv bool
	AccountParam        string
	Partner             string // the partner of a query that names none
	SignType            string
	Charset             string
	KeyFile             string
	AlipayPublicKeyFile string
	Partners            []PartnerConfig
	CallTimeout         time.Duration

	Slots       int
	Parked      int
	Window      time.Duration
	Freshness   time.Duration
	Cooldown    time.Duration
	MinAge      time.Duration
	AskPatience time.Duration
	Patience    time.Duration
	Lease       time.Duration
	AfterCrash  string
	ReplyAllow  []string
	Grace       time.Duration

	Rate        int // calls a second of the default partner, over the fleet; 0 is no limit
	Concurrency int // calls under way of the default partner, over the fleet; 0 is no limit
	RetryBudget int
	CloudEvents bool

	Attempts      int
	RetryInitial  time.Duration
	RetryMax      time.Duration
	RetryAfterMax time.Duration

	StrictFiles bool

	LogLevel  string
	LogFormat string

	sources keySources // no setting: what the settings that name files have read
}

const (
	day = 24 * time.Hour
	// year bounds what is only a matter of taste, so that a slip of the keyboard is found.
	year = 366 * day
)

// table lists the settings of c, in the order of the documentation.
func (c *Config) table() []setting {
	list := c.natsSettings()
	list = append(list, c.gatewaySettings()...)
	list = append(list, c.workerSettings()...)
	return c.sources.watched(append(list, c.logSettings()...))
}

func (c *Config) natsSettings() []setting {
	return []setting{
		checked(list(&c.NATS, setting{name: "nats", fallback: "nats://127.0.0.1:4222", usage: "NATS servers, URLs with commas between"}), c.checkNATS),
		checked(text(&c.NATSCreds, setting{name: "nats-creds", kind: kindFile, usage: "NATS credentials file, or nkey seed, of the main connection"}), func() error { return c.checkCreds(c.NATSCreds) }),
		checked(text(&c.NATSReplyCreds, setting{name: "nats-reply-creds", kind: kindFile, usage: "NATS credentials file, or nkey seed, of the connection that replies, whose user may publish replies only"}), func() error { return c.checkCreds(c.NATSReplyCreds) }),
		checked(text(&c.Prefix, setting{name: "prefix", kind: "subject", fallback: "protocol", usage: "first tokens of every subject; in capitals, of every stream's name"}), c.checkPrefix),
	}
}

func (c *Config) gatewaySettings() []setting {
	return []setting{
		checked(text(&c.GatewayURL, setting{name: "gateway-url", kind: "URL", fallback: "https://mapi.alipay.com/gateway.do", usage: "where the gateway is"}), c.checkGatewayURL),
		toggle(&c.UnsafeGateway, setting{name: "unsafe-gateway", usage: "send signed queries to a host that is not the known gateway; http only to this machine"}),
		toggle(&c.GatewayProxyFromEnv, setting{name: "gateway-proxy-from-env", usage: "reach the gateway through the proxy of HTTPS_PROXY, but for the hosts of NO_PROXY"}),
		span(&c.GatewayReuseAfter, 0, 30*time.Second, setting{name: "gateway-reuse-after", fallback: "0s", usage: "how long a connection rests before it carries another question, which believes a stray answer that comes later; 0s: each carries one"}),
		text(&c.AccountParam, setting{name: "account-param", kind: "name", fallback: "trans_account", usage: "the account's parameter name on the wire"}),
		checked(text(&c.Partner, setting{name: "partner", kind: "id", usage: "partner id, 2088 and 12 digits; the one of a query that names none"}), c.checkPartner),
		checked(text(&c.SignType, setting{name: "sign-type", kind: "name", fallback: "MD5", usage: "how to sign: MD5, RSA, RSA2 or DSA"}), c.checkSignType),
		checked(text(&c.Charset, setting{name: "charset", kind: "name", fallback: "utf-8", usage: "_input_charset: utf-8, gbk or gb2312"}), c.checkCharset),
		text(&c.KeyFile, setting{name: "key-file", kind: kindFile, usage: "the partner's signing key"}),
		text(&c.AlipayPublicKeyFile, setting{name: "alipay-public-key-file", kind: kindFile, usage: "the gateway's public key, to verify signed answers (RSA, RSA2, DSA)"}),
		{name: "partners", kind: "list", usage: "several partners, file only: id, sign_type, charset, key_file, public_key_file, rate, concurrency of each", node: c.parsePartners},
		span(&c.CallTimeout, 200*time.Millisecond, time.Minute, setting{name: "call-timeout", fallback: "8s", usage: "how long one call of the gateway may take in all"}),
	}
}

func (c *Config) workerSettings() []setting {
	return []setting{
		count(&c.Slots, 1, 100_000, setting{name: "slots", fallback: "256", usage: "calls in flight at most, in one worker"}),
		count(&c.Parked, 1, 10_000_000, setting{name: "parked", fallback: "50000", usage: "askers waiting for a call in flight at most, in one worker"}),
		span(&c.Window, time.Second, year, setting{name: "window", fallback: "24h", usage: "how long the answer to a given key is remembered"}),
		span(&c.Freshness, time.Second, year, setting{name: "freshness", fallback: "60s", usage: "how long the answer to an equal question is remembered"}),
		span(&c.Cooldown, time.Second, day, setting{name: "cooldown", fallback: "30s", usage: "how long a question without an answer rests"}),
		span(&c.MinAge, 0, time.Hour, setting{name: "min-age", fallback: "2s", usage: "an answer this young is fresh enough for any max_age_ms"}),
		span(&c.AskPatience, time.Second, time.Hour, setting{name: "ask-patience", fallback: "30s", usage: "how long an awaiting asker without a deadline is taken to wait"}),
		span(&c.Patience, time.Second, year, setting{name: "patience", fallback: "24h", usage: "how long a submitted query without a deadline is tried"}),
		span(&c.Lease, time.Second, 10*time.Minute, setting{name: "lease", fallback: "12s", usage: "after how long without a sign of life a call is taken over"}),
		choice(&c.AfterCrash, []string{"rerun", "fail"}, setting{name: "after-crash", fallback: "rerun", usage: "what becomes of the call of a worker that died: asked again, or told as unknown"}),
		list(&c.ReplyAllow, setting{name: "reply-allow", fallback: "_INBOX,{prefix}.reply.", usage: "prefixes of subjects that may be replied to; {prefix} is that of prefix"}),
		span(&c.Grace, 0, 10*time.Minute, setting{name: "grace", fallback: "15s", usage: "how long a signal leaves for what is in flight"}),
		count(&c.Attempts, 1, 100, setting{name: "attempts", fallback: "5", usage: "calls for one question at most"}),
		span(&c.RetryInitial, time.Millisecond, time.Minute, setting{name: "retry-initial", fallback: "100ms", usage: "middle of the first wait between two attempts; it grows from there"}),
		count(&c.RetryBudget, 1, 1_000_000, setting{name: "retry-budget", fallback: "10", usage: "second and further attempts at once, beyond one for every ten calls, in one worker"}),
		count(&c.Rate, 0, 100_000, setting{name: "rate", fallback: "0", usage: "calls a second for one partner, over the whole fleet; 0 is no limit"}),
		count(&c.Concurrency, 0, 100_000, setting{name: "concurrency", fallback: "0", usage: "calls in flight for one partner, over the whole fleet; 0 is no limit"}),
		toggle(&c.CloudEvents, setting{name: "cloud-events", usage: "events carry the headers of CloudEvents 1.0, too"}),
		span(&c.RetryMax, time.Millisecond, 10*time.Minute, setting{name: "retry-max", fallback: "2.5s", usage: "middle of the longest wait between two attempts"}),
		span(&c.RetryAfterMax, time.Second, day, setting{name: "retry-after-max", fallback: "5m", usage: "longest Retry-After of the gateway (429, 503) that is obeyed; a longer one counts as this"}),
	}
}

func (c *Config) logSettings() []setting {
	return []setting{
		toggle(&c.StrictFiles, setting{name: "strict-files", usage: "refuse to start with a key's file that others may read or change; else that is a warning"}),
		checked(text(&c.LogLevel, setting{name: "log-level", kind: "level", fallback: "info", usage: "debug, info, warn or error"}), c.checkLogLevel),
		choice(&c.LogFormat, []string{"auto", "text", "json"}, setting{name: "log-format", fallback: "auto", usage: "auto is text on a terminal, JSON otherwise"}),
	}
}

func checked(s setting, check func() error) setting {
	s.check = check
	return s
}

// Validate reports everything that keeps c from being used by a worker, each fault by its setting's
// name: every single value, then what does not go together.
func (c *Config) Validate() error {
	var faults []error
	for _, s := range c.table() {
		if s.check != nil {
			if err := s.check(); err != nil {
				faults = append(faults, &settingError{Setting: s.name, Err: err})
			}
		}
	}
	return errors.Join(append(faults, c.conflicts())...)
}

// conflicts reports settings of a worker that are fine alone and wrong together.
func (c *Config) conflicts() error {
	var faults []error
	fault := func(wrong bool, name, format string, args ...any) {
		if wrong {
			faults = append(faults, &settingError{Setting: name, Err: fmt.Errorf(format, args...)})
		}
	}
	// A call must end inside its lease, with room to store the answer, or two workers call at once.
	fault(c.CallTimeout >= c.Lease, "call-timeout", "must be shorter than lease (%s), not %s", short(c.Lease), short(c.CallTimeout))
	fault(c.GatewayReuseAfter >= c.CallTimeout, "gateway-reuse-after", "must be shorter than call-timeout (%s), not %s",
		short(c.CallTimeout), short(c.GatewayReuseAfter))
	fault(c.MinAge > c.Freshness, "min-age", "must not be longer than freshness (%s), not %s", short(c.Freshness), short(c.MinAge))
	fault(c.RetryInitial > c.RetryMax, "retry-initial", "must not be longer than retry-max (%s), not %s", short(c.RetryMax), short(c.RetryInitial))
	fault(len(c.ReplyAllow) == 0, "reply-allow", "must allow at least one prefix, or no asker can be answered")
	return errors.Join(append(faults, c.checkPartners(), c.checkReplies())...)
}

// checkPartners reports when there is nobody to sign for, or nothing to sign with.
func (c *Config) checkPartners() error {
	var faults []error
	if c.Partner == "" && len(c.Partners) == 0 {
		faults = append(faults, &settingError{Setting: "partner", Err: errors.New("is needed" + howToSay("partner"))})
	}
	if c.KeyFile == "" && !c.listed(c.Partner) && (c.Partner != "" || len(c.Partners) == 0) {
		faults = append(faults, &settingError{Setting: "key-file", Err: errors.New("is needed, the partner's signing key" + howToSay("key-file"))})
	}
	return errors.Join(faults...)
}

// checkReplies reports prefixes that replies must not be allowed to go to.
func (c *Config) checkReplies() error {
	names, err := messages.NewNames(c.Prefix)
	if err != nil {
		return nil // told already
	}
	var faults []error
	for _, p := range c.replyAllow() {
		if err := names.CheckAllowed(p); err != nil {
			faults = append(faults, &settingError{Setting: "reply-allow", Err: err})
		}
	}
	return errors.Join(faults...)
}

func (c *Config) listed(id string) bool {
	for _, p := range c.Partners {
		if p.ID == id {
			return true
		}
	}
	return false
}

// howToSay names the three ways to give a setting.
func howToSay(name string) string {
	s := setting{name: name}
	return fmt.Sprintf(": --%s, %s, or %s in the file", name, s.variable(), s.key())
}

func (c *Config) checkNATS() error {
	if len(c.NATS) == 0 {
		return errors.New("needs at least one URL")
	}
	for _, server := range c.NATS {
		if !strings.Contains(server, "://") {
			server = "nats://" + server
		}
		u, err := url.Parse(server)
		// A password in a URL ends up in process lists and logs.
		if err == nil && u.User != nil {
			return errors.New("must hold no user or password; use nats-creds")
		}
		if err != nil || u.Hostname() == "" || strings.Contains(u.Hostname(), ":") && !strings.HasPrefix(u.Host, "[") {
			return errors.New("is not a list of URLs such as nats://host:4222")
		}
	}
	return nil
}

// checkCreds finds at the start what the connection would find much later, and then try on for
// ever.
func (c *Config) checkCreds(path string) error {
	if path == "" {
		return nil
	}
	source := c.sources.get(path, secretFile)
	if source.err != nil {
		return source.err
	}
	if !bytes.Contains(source.material, []byte("NKEY SEED-----")) && !bytes.HasPrefix(bytes.TrimSpace(source.material), []byte("SU")) {
		return fmt.Errorf("%s is not a NATS credentials file", path)
	}
	return nil
}

// login is what checkCreds has read of path, or nil where no file was named.
func (c *Config) login(path string) *keySource {
	if path == "" {
		return nil
	}
	return c.sources.get(path, secretFile)
}

func (c *Config) checkPrefix() error {
	_, err := messages.NewNames(c.Prefix)
	return err
}

func (c *Config) checkGatewayURL() error {
	u, err := url.Parse(c.GatewayURL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return errors.New("must be a URL such as https://mapi.alipay.com/gateway.do")
	}
	return nil
}

func (c *Config) checkPartner() error {
	if c.Partner == "" {
		return nil
	}
	return checkPartnerID(c.Partner)
}

func (c *Config) checkSignType() error {
	_, err := mapi.ParseSignType(c.SignType)
	return err
}

func (c *Config) checkCharset() error {
	_, err := mapi.ParseCharset(c.Charset)
	return err
}

func (c *Config) checkLogLevel() error {
	if _, err := c.level(); err != nil {
		return fmt.Errorf("must be debug, info, warn or error, not %q", c.LogLevel)
	}
	return nil
}

func (c *Config) level() (level slog.Level, err error) {
	err = level.UnmarshalText([]byte(c.LogLevel))
	return level, err
}
