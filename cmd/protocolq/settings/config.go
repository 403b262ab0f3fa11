// The Config, which every setting of the program is a field of, and what makes it usable.

package settings

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/gateway/mapi"
	"protocolq/messages"
	"protocolq/worker/fleet"
	"protocolq/worker/ops"
)

// Config is the settings of all commands; each command names those that it needs. A secret is only
// ever named by its file's path.
type Config struct {
	NATS           []string // URLs
	NATSCreds      string
	NATSReplyCreds string
	InboxPrefix    string // "": the command's own, see [Config.Inbox]
	Prefix         string

	NATSContext      string // name or file
	NATSUser         string
	NATSPasswordFile string
	NATSTokenFile    string
	NATSCAFile       string
	NATSCertFile     string
	NATSKeyFile      string
	NATSTLSFirst     bool
	JSDomain         string
	JSAPIPrefix      string

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

	HTTPListen   string
	OTLPEndpoint string
	LogLevel     string
	LogFormat    string

	Database       string // of the query log, a URL
	LogHMACKeyFile string
	LogRetention   time.Duration

	APIListen     string
	APIAskersFile string
	APICertFile   string
	APIKeyFile    string

	Console          Console
	AlertWebhookFile string

	// These are not settings, but what was read from the files that settings name.
	sources keySources
	context natsContext
}

const (
	day = 24 * time.Hour
	// year bounds settings without a natural limit, so that a typing mistake is found.
	year = 366 * day
)

func checked(s setting, check func() error) setting {
	s.check = check
	return s
}

// Validate reports everything that makes c unusable for a worker, each fault with its setting's
// name: first single values, then settings that contradict each other.
func (c *Config) Validate() error {
	var faults []error
	for _, s := range c.table() {
		if s.check != nil {
			if err := s.check(); err != nil {
				faults = append(faults, &Fault{Setting: s.name, Err: err})
			}
		}
	}
	return errors.Join(append(faults, c.Conflicts())...)
}

// Conflicts reports settings of a worker that are right alone but wrong together.
func (c *Config) Conflicts() error {
	var faults []error
	fault := func(wrong bool, name, format string, args ...any) {
		if wrong {
			faults = append(faults, &Fault{Setting: name, Err: fmt.Errorf(format, args...)})
		}
	}
	// A call must begin and end inside its lease, or two workers call at once.
	least := fleet.ShortestLease(c.CallTimeout)
	fault(c.Lease <= least, "lease", "must be longer than %s where call-timeout is %s, not %s",
		cli.Short(least.Round(time.Millisecond)), cli.Short(c.CallTimeout), cli.Short(c.Lease))
	fault(c.GatewayReuseAfter >= c.CallTimeout, "gateway-reuse-after", "must be shorter than call-timeout (%s), not %s",
		cli.Short(c.CallTimeout), cli.Short(c.GatewayReuseAfter))
	fault(c.MinAge > c.Freshness, "min-age", "must not be longer than freshness (%s), not %s", cli.Short(c.Freshness),
		cli.Short(c.MinAge))
	fault(c.RetryInitial > c.RetryMax, "retry-initial", "must not be longer than retry-max (%s), not %s",
		cli.Short(c.RetryMax), cli.Short(c.RetryInitial))
	fault(len(c.ReplyAllow) == 0, "reply-allow", "must allow at least one prefix, or no asker can be answered")
	return errors.Join(append(faults, c.CheckPartners(), c.checkReplies())...)
}

// CheckPartners reports a missing partner or signing key.
func (c *Config) CheckPartners() error {
	var faults []error
	if c.Partner == "" && len(c.Partners) == 0 {
		faults = append(faults, &Fault{Setting: "partner", Err: errors.New("is needed" + HowToSay("partner"))})
	}
	if c.KeyFile == "" && !c.listed(c.Partner) && (c.Partner != "" || len(c.Partners) == 0) {
		faults = append(faults,
			&Fault{Setting: "key-file", Err: errors.New("is needed, the partner's signing key" + HowToSay("key-file"))})
	}
	return errors.Join(faults...)
}

// checkReplies reports prefixes to which replies must not be allowed.
func (c *Config) checkReplies() error {
	names, err := messages.NewNames(c.Prefix)
	if err != nil {
		return nil // reported already
	}
	var faults []error
	for _, p := range c.AllowedReplies() {
		if err := names.CheckAllowed(p); err != nil {
			faults = append(faults, &Fault{Setting: "reply-allow", Err: err})
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

// HowToSay names the three ways to give a setting.
func HowToSay(name string) string {
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
			return errors.New("must hold no user or password; use nats-creds, nats-user or nats-token-file")
		}
		if err != nil || u.Hostname() == "" || strings.Contains(u.Hostname(), ":") && !strings.HasPrefix(u.Host, "[") {
			return errors.New("is not a list of URLs such as nats://host:4222")
		}
	}
	return nil
}

// CheckCreds finds at the start a fault that the connection would find much later, and then retry
// for ever.
func (c *Config) CheckCreds(path string) error {
	if path == "" {
		return nil
	}
	source := c.SecretFile(path)
	if source.Err != nil {
		return source.Err
	}
	if !bytes.Contains(source.Material, []byte("NKEY SEED-----")) &&
		!bytes.HasPrefix(bytes.TrimSpace(source.Material), []byte("SU")) {
		return fmt.Errorf("%s is not a NATS credentials file", path)
	}
	return nil
}

// Login is what CheckCreds has read from path, or nil if no file was named.
func (c *Config) Login(path string) *KeySource {
	if path == "" {
		return nil
	}
	return c.SecretFile(path)
}

// checkInboxPrefix refuses a prefix that is not a plain subject.
func (c *Config) checkInboxPrefix() error {
	if c.InboxPrefix == "" {
		return nil
	}
	for token := range strings.SplitSeq(c.InboxPrefix, ".") {
		if !messages.IsToken(token) {
			return fmt.Errorf("%q: each part between dots must have letters, digits, - and _", c.InboxPrefix)
		}
	}
	return nil
}

// Inbox is the inbox prefix from the settings, or from the NATS context, or else the command's own;
// "" is the default of NATS clients.
func (c *Config) Inbox(own string) string { return cmp.Or(c.InboxPrefix, c.context.InboxPrefix, own) }

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
	return CheckPartnerID(c.Partner)
}

func (c *Config) checkSignType() error {
	_, err := mapi.ParseSignType(c.SignType)
	return err
}

func (c *Config) checkCharset() error {
	_, err := mapi.ParseCharset(c.Charset)
	return err
}

func (c *Config) checkListen() error {
	if c.HTTPListen == "" {
		return nil
	}
	_, err := ops.Address(c.HTTPListen)
	return err
}

func (c *Config) checkLogLevel() error {
	if _, err := c.level(); err != nil {
		return fmt.Errorf("must be debug, info, warn or error, not %q", c.LogLevel)
	}
	return nil
}

// Logger is the logger that log-level and log-format describe, once they are loaded.
func (c *Config) Logger(w io.Writer) *slog.Logger {
	level, err := c.level()
	cli.Must(err)
	log := cli.NewLogger(w, level, c.LogFormat)
	if c.Console.URL == "" {
		return log
	}
	return slog.New(paged{log.Handler(), c.PageOf})
}

func (c *Config) level() (level slog.Level, err error) {
	err = level.UnmarshalText([]byte(c.LogLevel))
	return level, err
}

// AllowedReplies is the allow-list with the prefix filled in.
func (c *Config) AllowedReplies() []string {
	list := make([]string, 0, len(c.ReplyAllow))
	for _, p := range c.ReplyAllow {
		list = append(list, strings.ReplaceAll(p, "{prefix}", c.Prefix))
	}
	return list
}
