// Gateway: the fake gateway as a process, and its counts.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// gatewayStats is what the gateway tells at /stats.
type gatewayStats struct {
	Calls, Injected, Distinct, Dup, Overlap int
	MaxPerKey                               int    `json:"max_per_key"`
	MaxOverlap                              int    `json:"max_overlap"`
	BadSign                                 int    `json:"bad_sign"`
	BadParams                               int    `json:"bad_params"`
	BadExample                              string `json:"bad_example"`
}

type gateway struct {
	*proc
	url string
}

func startGateway(ctx context.Context, tmp string, o *options) (*gateway, error) {
	p, addr, err := startTelling(ctx, tmp, "gateway", "bin/fakegateway", "-key", o.key, "-partner", o.partner,
		"-latency", o.latency.String(), "-jitter", o.jitter.String(), "-key-params", o.keyParams,
		"-error-rate", fmt.Sprint(o.errorRate), "-http-error-rate", fmt.Sprint(o.httpErrors))
	if err != nil {
		return nil, err
	}
	return &gateway{p, "http://" + addr}, nil
}

func (g *gateway) reset() error { return g.exchange(http.MethodPost, "/reset", nil) }

func (g *gateway) stats() (st gatewayStats, err error) {
	return st, g.exchange(http.MethodGet, "/stats", &st)
}

func (g *gateway) exchange(method, path string, into any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, g.url+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(body, into)
}
