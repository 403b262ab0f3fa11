// Verdicts: on a database, on a certificate, on key files; and how they are written.

package doctor

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"protocolq/cmd/protocolq/settings"
	"protocolq/worker/querylog/database"
)

func faultsOf(list []Check) (names []string) {
	for _, c := range list {
		if c.Status == Fault {
			names = append(names, c.Name)
		}
	}
	return names
}

func TestJudgeDatabase(t *testing.T) {
	now := time.Now()
	good := database.Examination{Sync: time.Millisecond, Tables: 2, Want: 2, Clock: now, Before: now, After: now}
	with := func(change func(*database.Examination)) database.Examination { e := good; change(&e); return e }
	for name, c := range map[string]struct {
		e     database.Examination
		fresh bool
		want  string
	}{
		"well":    {e: good},
		"fresh":   {e: database.Examination{Sync: time.Millisecond}, fresh: true},
		"newer":   {e: with(func(e *database.Examination) { e.Tables = 3 }), want: "database"},
		"rights":  {e: with(func(e *database.Examination) { e.Missing = []string{"runs: INSERT"} }), want: "database.rights"},
		"slow":    {e: with(func(e *database.Examination) { e.Sync = time.Second }), want: "database.fsync"},
		"standby": {e: with(func(e *database.Examination) { e.Unsafe = "it is a standby" }), want: "database.fsync"},
		"clock":   {e: with(func(e *database.Examination) { e.Clock = now.Add(time.Minute) }), want: "clock.database"},
	} {
		if got := strings.Join(faultsOf(judge(c.e, c.fresh)), " "); got != c.want {
			t.Errorf("%s: faults %q, want %q", name, got, c.want)
		}
	}
}

func TestCheckDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	o := &Options{Config: &settings.Config{Database: "sqlite://" + path}}
	if list := checkDatabase(t.Context(), o); len(faultsOf(list)) > 0 || !strings.Contains(list[0].Detail, "no tables yet") {
		t.Errorf("a new one: %+v", list)
	}
	db, err := database.Open(t.Context(), database.Options{URL: "sqlite://" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if list := checkDatabase(t.Context(), o); len(faultsOf(list)) > 0 {
		t.Errorf("one in use: %+v", list)
	}
	o.Config.Database = "sqlite:///proc/none/log.db"
	if got := strings.Join(faultsOf(checkDatabase(t.Context(), o)), " "); got != "database.rights" {
		t.Errorf("a folder that nobody can write: %q", got)
	}
	o.Config.Database = "postgres://nobody@127.0.0.1:1/none"
	if got := strings.Join(faultsOf(checkDatabase(t.Context(), o)), " "); got != "database" {
		t.Errorf("nobody there: %q", got)
	}
}

func TestCertificate(t *testing.T) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	ends := s.Certificate().NotAfter
	for name, c := range map[string]struct {
		host  string
		roots *x509.CertPool
		now   time.Time
		want  Status
		says  string
	}{
		"well":         {"example.com", roots, ends.AddDate(0, 0, -30), Well, "lasts 30 days"},
		"soon":         {"example.com", roots, ends.AddDate(0, 0, -13), Fault, "lasts 13 days, until " + ends.Format(time.DateOnly)},
		"another name": {"mapi.alipay.com", roots, ends.AddDate(0, 0, -30), Fault, "mapi.alipay.com"},
		"not trusted":  {"example.com", x509.NewCertPool(), ends.AddDate(0, 0, -30), Fault, "authority"},
	} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if got := checkTLS(t.Context(), conn, c.host, c.roots, c.now); got.Status != c.want || !strings.Contains(got.Detail, c.says) {
			t.Errorf("%s: %+v", name, got)
		}
		_ = conn.Close()
	}
}

func TestGatewayThatIsNotThere(t *testing.T) {
	list := checkGateway(t.Context(), &Options{Config: &settings.Config{GatewayURL: "http://127.0.0.1:1/gateway.do"}})
	if got := strings.Join(faultsOf(list), " "); got != "gateway.connect" {
		t.Errorf("%q", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	list = checkGateway(ctx, &Options{Config: &settings.Config{GatewayURL: "https://no.such.host.invalid/gateway.do"}})
	if got := strings.Join(faultsOf(list), " "); got != "gateway.dns" {
		t.Errorf("%q", got)
	}
}

func TestCheckFiles(t *testing.T) {
	c := checkFiles([]string{"/k/a may be read by everybody: chmod 640 /k/a", "/k, the folder of /k/a, may be changed by everybody: chmod go-w /k"})
	if c.Status != Fault || c.Cure != "chmod 640 /k/a && chmod go-w /k" || strings.Contains(c.Detail, "chmod") {
		t.Errorf("%+v", c)
	}
	if checkFiles(nil).Status != Well {
		t.Error("nothing found is a fault")
	}
}

func TestReport(t *testing.T) {
	var b bytes.Buffer
	r := newReport(forWorker, []Check{well("nats", "there"), fault("files", "open\x1b[31m", "chmod"), skipped("live", "not asked")})
	if err := r.print(&b, false); err != nil || r.OK || b.String() != "files: open\\x1b[31m\n  cure: chmod\n" {
		t.Errorf("%q, %v, ok %v", b.String(), err, r.OK)
	}
	b.Reset()
	if err := r.print(&b, true); err != nil || strings.Count(b.String(), "\n") != 4 {
		t.Errorf("%q, %v", b.String(), err)
	}
	if r := newReport(forWorker, []Check{well("nats", "there"), skipped("live", "")}); !r.OK {
		t.Error("what was not looked at is a fault")
	}
}

func TestQuick(t *testing.T) {
	if err := quick(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "http-listen") {
		t.Errorf("%v", err)
	}
	if err := quick(t.Context(), "127.0.0.1:1"); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
