// What the servers say at their monitoring port: whether what they acknowledge is on the disk.

package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// monitored is what /varz says about a server.
type monitored struct {
	Name      string `json:"server_name"`
	JetStream struct {
		Config struct {
			Store        string `json:"store_dir"`
			SyncAlways   bool   `json:"sync_always"`
			SyncInterval int64  `json:"sync_interval"`
		} `json:"config"`
	} `json:"jetstream"`
}

const varzMost = 1 << 20

// checkSync asks each monitoring port whether the server writes through.
func checkSync(ctx context.Context, monitors []string) Check {
	const name = "nats.sync_interval"
	if len(monitors) == 0 {
		return skipped(name,
			"servers say it on their monitoring port alone: --nats-monitor http://HOST:8222, one for each")
	}
	var late []string
	for _, base := range monitors {
		v, err := varz(ctx, strings.TrimSuffix(base, "/")+"/varz")
		if err != nil {
			return fault(name, base+": "+err.Error(),
				"is that the monitoring port (http: in the server's configuration)?")
		}
		if !v.JetStream.Config.SyncAlways {
			late = append(late, v.Name)
		}
	}
	if len(late) > 0 {
		return fault(name, strings.Join(late, ", ")+" acknowledge what is not on the disk yet: a power cut loses it",
			"jetstream { sync_interval: always } in the configuration of every server (deploy/nats/server.conf)")
	}
	return well(name, "always, on %d servers", len(monitors))
}

func varz(ctx context.Context, url string) (v monitored, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return v, err
	}
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		return v, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return v, fmt.Errorf("answers %s", answer.Status)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, varzMost)).Decode(&v); err != nil {
		return v, fmt.Errorf("is not a /varz page: %w", err)
	}
	return v, nil
}
