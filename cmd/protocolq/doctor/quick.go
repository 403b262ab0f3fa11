// Quick: the health probe of a container, which has no curl: this machine's own /readyz.

package doctor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/worker/ops"
)

const (
	quickTime = 3 * time.Second
	quickMost = 4 << 10 // bytes of an answer
)

// quick asks the process on this machine, at the address of http-listen, whether it is ready.
func quick(ctx context.Context, listen string) error {
	if listen == "" {
		return &cli.Error{Code: cli.ExitOther, Err: fmt.Errorf("nothing to ask: http-listen is not set"),
			Hint: "give the process and its probe the same setting, such as PROTOCOLQ_HTTP_LISTEN=:8080"}
	}
	address, err := ops.Reach(listen)
	if err != nil {
		return cli.Usage("--http-listen: %v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, quickTime)
	defer cancel()
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // never through a proxy
	answer, err := client.Do(ask)
	if err != nil {
		return &cli.Error{Code: cli.ExitOther, Err: fmt.Errorf("not ready: %w", err),
			Hint: "does a worker or recorder run here with this http-listen?"}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, quickMost))
	if err != nil {
		return fmt.Errorf("read /readyz: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", strings.TrimSpace(string(body)))
	}
	return nil
}
