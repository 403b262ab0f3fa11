// A NATS user that may not see the watches can still have everything else forgotten.

package forget

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/worker/natstest"
	"protocolq/worker/provision"
	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

func TestRowsAreDeletedWhereWatchesAreRefused(t *testing.T) {
	for _, c := range []struct {
		denied string
		rows   int64 // deleted
		places []string
	}{
		{"$JS.API.STREAM.INFO.PROTOCOL_WATCHES", 1, []string{"workers", "dead", "watches", "submitted", "replies", "http", "events", "ended_watches", "log", "database"}},
		{"protocol.forget", 0, nil}, // the workers would record the person again
	} {
		f, js := newForgetting(t, "canary@example.com", ""), (jetstream.JetStream)(nil)
		ns := natstest.Serve(t, server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoAuthUser: "old",
			Users: []*server.User{{Username: "old", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{c.denied}}}},
				{Username: "all", Password: "all"}}})
		nc, err := nats.Connect(ns.ClientURL(), nats.UserInfo("all", "all"))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if js, err = jetstream.New(nc); err != nil {
			t.Fatal(err)
		}
		if _, err := provision.Apply(t.Context(), js, provision.Options{Names: f.names}); err != nil {
			t.Fatal(err)
		}
		url := "sqlite://" + filepath.Join(t.TempDir(), "log.db")
		db, err := database.Open(t.Context(), database.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		ask := querylog.Ask{Token: "token", At: time.Date(2026, 11, 28, 5, 0, 0, 0, time.UTC), Email: f.hasher.Email("canary@example.com")}
		if _, err := db.Write(t.Context(), querylog.Batch{Asks: []querylog.Ask{ask}}); err != nil {
			t.Fatal(err)
		}

		f.cfg = &settings.Config{NATS: []string{ns.ClientURL()}, Prefix: messages.DefaultPrefix, Database: url}
		r, err := f.run(t.Context(), true)
		if end, ok := errors.AsType[*cli.Error](err); !ok || !strings.Contains(err.Error(), c.denied) || end.Hint == "" {
			t.Errorf("%s denied: %v", c.denied, err)
		}
		var places []string
		if r != nil {
			for _, p := range r.Places {
				places = append(places, p.Place)
			}
			if r.Deleted != c.rows {
				t.Errorf("%s denied: %d rows deleted, want %d", c.denied, r.Deleted, c.rows)
			}
		}
		if diff := cmp.Diff(c.places, places); diff != "" {
			t.Errorf("%s denied: places (-want +got):\n%s", c.denied, diff)
		}
		if n, err := db.CountPerson(t.Context(), f.person.ids); err != nil || n != 1-c.rows {
			t.Errorf("%s denied: %d rows left, %v", c.denied, n, err)
		}
	}
}
