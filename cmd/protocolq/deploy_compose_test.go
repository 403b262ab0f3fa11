//go:build unix

// deploy/compose: the file is valid by the schema of the Compose specification, and what it
// starts works together. Each command of the program runs with its environment and secrets,
// against three servers with the shipped configuration and a PostgreSQL.

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/natsconfig"
)

const composePage = "deploy/compose/compose.yaml"

// composed is the part of the file that the test needs.
type composed struct {
	Services map[string]service
	Secrets  map[string]struct{ File string }
}

// service is one of its containers.
type service struct {
	Image, Restart string
	Command        []string
	Environment    map[string]string
	Secrets        []string
	Volumes        []string
	DependsOn      map[string]struct{ Condition string } `yaml:"depends_on"`
	ReadOnly       bool                                  `yaml:"read_only"`
	StopGrace      string                                `yaml:"stop_grace_period"`
}

// inYAML returns a YAML document in the types that JSON decodes to.
func inYAML(t *testing.T, text string) any {
	t.Helper()
	var doc any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(doc)
	if err == nil {
		err = json.Unmarshal(data, &doc)
	}
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestComposeSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("testdata", "schemas", "compose", "compose-spec.json"))
	if err != nil {
		t.Fatal(err)
	}
	page := readPage(t, composePage)
	if err := schema.Validate(inYAML(t, page)); err != nil {
		t.Errorf("%s: %v", composePage, err)
	}
	for good, bad := range map[string]string{"read_only: true": "readonly: true", "restart: on-failure": "restart: [on-failure]"} {
		if err := schema.Validate(inYAML(t, strings.Replace(page, good, bad, 1))); err == nil {
			t.Errorf("the schema takes %q", bad)
		}
	}
}

func compose(t *testing.T) (c composed) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(readPage(t, composePage)), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// Every host, secret, image and port that the files name exists.
func TestComposeIsOfOnePiece(t *testing.T) {
	c := compose(t)
	for name, s := range c.Services {
		for on := range s.DependsOn {
			if _, ok := c.Services[on]; !ok {
				t.Errorf("%s depends on %s, which is not there", name, on)
			}
		}
		for _, secret := range s.Secrets {
			if c.Secrets[secret].File == "" {
				t.Errorf("%s has a secret %s, which is not there", name, secret)
			}
		}
		if !strings.HasPrefix(s.Image, "protocolq:") {
			continue
		}
		grace, err := time.ParseDuration(s.StopGrace)
		if s.Image != "protocolq:"+cli.Version() || !s.ReadOnly || err != nil || grace < 30*time.Second {
			t.Errorf("%s: image %s, read only %v, stopped for %s", name, s.Image, s.ReadOnly, s.StopGrace)
		}
		for variable, value := range s.Environment {
			if secret, is := strings.CutPrefix(value, "/run/secrets/"); is && !slices.Contains(s.Secrets, secret) {
				t.Errorf("%s: %s names a secret that it is not given", name, variable)
			}
			kept := func(volume string) bool {
				at := strings.SplitN(volume, ":", 2)[1]
				return !strings.HasSuffix(at, ":ro") && strings.HasPrefix(value, at+"/")
			}
			if strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "/run/secrets/") && !slices.ContainsFunc(s.Volumes, kept) {
				t.Errorf("%s: %s names %s, which is on no volume", name, variable, value)
			}
			for _, m := range regexp.MustCompile(`(?:nats|postgres)://(?:\w+@)?([a-z0-9-]+)`).FindAllStringSubmatch(value, -1) {
				if _, ok := c.Services[m[1]]; !ok {
					t.Errorf("%s: %s names the host %s, which is not there", name, variable, m[1])
				}
			}
		}
	}
	var scraped struct {
		Scrape []struct {
			Static []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(readPage(t, "deploy/compose/prometheus.yml")), &scraped); err != nil {
		t.Fatal(err)
	}
	if c.Services["console"].Environment["PROTOCOLQ_CONSOLE_AUDIT_FILE"] == "" {
		t.Error("console: who did what is in memory alone")
	}
	for name, s := range c.Services {
		target, listens := strings.CutPrefix(s.Environment["PROTOCOLQ_HTTP_LISTEN"], "0.0.0.0")
		if listens && !slices.Contains(scraped.Scrape[0].Static[0].Targets, name+target) {
			t.Errorf("Prometheus does not ask %s%s", name, target)
		}
	}
}

var placeholder = regexp.MustCompile(`\$\{([A-Z_]+):[?-]([^}]*)\}`)

// filled replaces each variable by its default, and the partner by the practice partner.
func filled(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		if m := placeholder.FindStringSubmatch(p); m[1] != "PARTNER" {
			return m[2]
		}
		return practicePartner
	})
}

// run starts a service with its own command, environment and secrets. Only addresses and the
// paths of files are this machine's.
func (c composed) run(t *testing.T, name string, here map[string]string, more ...string) *process {
	t.Helper()
	var args []string
	for _, a := range c.Services[name].Command {
		args = append(args, filled(a))
	}
	return launch(t, append(c.environment(name, here), more...), args...)
}

// command runs another command with a service's environment.
func (c composed) command(t *testing.T, name string, here map[string]string, args ...string) *process {
	t.Helper()
	return launch(t, c.environment(name, here), args...)
}

func (c composed) environment(name string, here map[string]string) (env []string) {
	s := c.Services[name]
	for variable, value := range s.Environment {
		if to, ok := here[value]; ok {
			value = to
		}
		env = append(env, variable+"="+filled(value))
	}
	return env
}

func TestComposeRuns(t *testing.T) {
	t.Parallel()
	people := deployedFor
	people.HTTP = []string{"shop"}
	c, d := compose(t), deployFor(t, people, "server.conf")
	for i := range 3 {
		name := fmt.Sprintf("nats-%d", i+1)
		args := slices.Clone(c.Services[name].Command)
		args[slices.Index(args, "/etc/nats/server.conf")] = filepath.Join(d.seeds, "server.conf")
		o, err := server.ConfigureOptions(flag.NewFlagSet(name, flag.ContinueOnError), args, nil, nil, nil)
		if err != nil || o.ServerName != name || o.StoreDir != "/data" || o.HTTPPort != 8222 {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
	s := &stand{t: t, nats: d.url, keys: t.TempDir()}
	s.practice()
	pg := startPostgres(t, "protocolq", "protocolq")
	here := map[string]string{
		"nats://nats-1:4222,nats://nats-2:4222,nats://nats-3:4222": d.url,
		"postgres://protocolq@postgres/protocolq":                  pg.url,
		"0.0.0.0:8080":              "127.0.0.1:0",
		"/run/secrets/key":          filepath.Join(s.keys, practicePartner+".key"),
		"/run/secrets/log-hmac.key": writeSecret(t, strings.Repeat("k", 32)),
		"/run/secrets/pgpass":       writeSecret(t, pg.pass),
	}
	door := c.withDoors(t, here)
	for secret, file := range c.Secrets {
		if user, is := strings.CutPrefix(file.File, "./nats/"); is {
			here["/run/secrets/"+secret] = filepath.Join(d.seeds, user)
		}
	}
	if code := c.run(t, "provision", here).exit(); code != cli.ExitOK {
		t.Fatalf("provision: exit code %d", code)
	}
	practice := []string{"PROTOCOLQ_GATEWAY_URL=" + s.gateway, "PROTOCOLQ_UNSAFE_GATEWAY=true"}
	workers := []*process{c.run(t, "worker-1", here, practice...).ready(), c.run(t, "worker-2", here, practice...).ready()}
	recorder := c.run(t, "recorder", here)
	ask := func(n int) {
		t.Helper()
		// A server that does not know yet of a worker's death gives it the query: no answer.
		code := cli.ExitNoAnswer
		for tries := 0; code == cli.ExitNoAnswer && tries < 5; tries++ {
			code = launch(t, nil, "query", "--nats", d.url, "--nats-creds", d.seed(deployedAsker), "--inbox-prefix",
				"_INBOX_refunds", "--email", person("signed", n)).exit()
		}
		if code != cli.ExitOK {
			t.Errorf("query %d: exit code %d", n, code)
		}
	}
	// A worker and the recorder are killed. The other worker and the next recorder take over
	// what they left.
	ask(1)
	door()
	workers[0].signal(os.Kill)
	recorder.signal(os.Kill)
	ask(2)
	recorder = c.run(t, "recorder", here)
	clitest.Eventually(t, "all queries in PostgreSQL", func() bool {
		p := launch(t, []string{"PGPASSFILE=" + here["/run/secrets/pgpass"]}, "log", "list", "--database", pg.url, "--outcome", "signed", "-o", "jsonl")
		return p.exit() == cli.ExitOK && strings.Count(p.out.String(), `"outcome":"signed"`) == 3
	})
	workers[1].stop()
	recorder.stop()
	if n := len(s.calls()); n != 3 {
		t.Errorf("%d calls for three queries", n)
	}
	if refused := d.violations(); len(refused) > 0 {
		t.Errorf("the servers refused what is needed:\n%s", strings.Join(refused, ""))
	}
	if p := c.command(t, "http", here, "doctor", "--for", "http"); p.exit() != cli.ExitOK || p.out.String()+p.err.String() != "" {
		t.Errorf("doctor --for http: %s%s", p.out, p.err)
	}
	if p := c.command(t, "console", here, "doctor", "--for", "console"); p.exit() != cli.ExitOK || p.out.String()+p.err.String() != "" {
		t.Errorf("doctor --for console: %s%s", p.out, p.err)
	}
	if _, ok := here["/run/secrets/provisioner.nk"]; !ok || d.seed(natsconfig.Provisioner) != here["/run/secrets/provisioner.nk"] {
		t.Error("provision did not run as the provisioner")
	}
}

// withDoors adds to here what the console and the HTTP door need. The function that it returns
// runs both, and asks over HTTP.
func (c composed) withDoors(t *testing.T, here map[string]string) func() {
	t.Helper()
	made := launch(t, nil, "http", "token", "-o", "json")
	var token struct{ Token, Hash string }
	if code := made.exit(); code != cli.ExitOK || json.Unmarshal([]byte(made.out.String()), &token) != nil {
		t.Fatalf("http token: exit code %d", code)
	}
	here["0.0.0.0:8470"], here["0.0.0.0:8481"] = freeAddress(t), freeAddress(t)
	here["/run/secrets/console-session.key"] = writeSecret(t, strings.Repeat("k", 32))
	audit := filepath.Join(t.TempDir(), "audit.jsonl")
	here["/var/lib/protocolq-console/audit.jsonl"] = audit
	here["/run/secrets/console-users.yaml"] = filepath.Join(t.TempDir(), "users.yaml")
	here["/run/secrets/askers.yaml"] = writeSecret(t, "askers: [{name: shop, partners: [\""+practicePartner+"\"], tokens: [\""+token.Hash+"\"]}]\n")
	add := launch(t, nil, "console", "user", "add", "li", "--role", "agent", "--no-password", "--console-users-file", here["/run/secrets/console-users.yaml"])
	if code := add.exit(); code != cli.ExitOK {
		t.Fatalf("console user add: exit code %d, %s", code, add.err.String())
	}
	return func() {
		t.Helper()
		c.run(t, "console", here)
		clitest.Eventually(t, "the page", func() bool {
			code, text := page(t, here["0.0.0.0:8470"], "/sign-in")
			return code == http.StatusOK && strings.Contains(text, "password")
		})
		if _, err := os.Stat(audit); err != nil {
			t.Errorf("who did what is not kept: %v", err)
		}
		c.run(t, "http", here)
		clitest.Eventually(t, "an answer over HTTP", func() bool {
			body := strings.NewReader(`{"id": "shop-1", "user_email": "` + person("signed", "shop") + `"}`)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+here["0.0.0.0:8481"]+"/v1/queries", body)
			if err != nil {
				t.Fatal(err)
			}
			r.Header = http.Header{"Authorization": {"Bearer " + token.Token}, "Content-Type": {"application/json"}}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				return false
			}
			defer answer.Body.Close()
			return answer.StatusCode == http.StatusOK
		})
	}
}

// writeSecret writes a file that only its owner may read.
func writeSecret(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
