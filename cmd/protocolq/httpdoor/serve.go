// Listening: the server's bounds, TLS from files, and a shutdown that loses no answer.

package httpdoor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"protocolq/cmd/protocolq/settings"
)

// Bounds on connections.
const (
	headerTime = 5 * time.Second
	headerMax  = 16 << 10
	idleTime   = 2 * time.Minute
	// answerTime is enough for the longest wait and what comes before and after it. Then there is a
	// response, whatever the streams do: at writeTime the server would cut the request off.
	answerTime  = longestWait + bodyTime + 10*time.Second
	writeTime   = answerTime + 5*time.Second
	connections = 4096
	// lastTime is for the responses that hurried requests get at the end.
	lastTime = 10 * time.Second
)

// certificate is read again at each handshake, so that a renewed one is used.
type certificate struct{ cert, key *settings.KeySource }

func (c certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	cert, certErr := c.cert.Now()
	key, keyErr := c.key.Now()
	if err := errors.Join(certErr, keyErr); err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	return &pair, err
}

// listening is how a door is reached.
type listening struct {
	Listener net.Listener
	TLS      *certificate  // nil: without
	Grace    time.Duration // how long requests may wait on after the end began
	Logger   *slog.Logger
}

// serve answers requests until ctx ends, and then until those that had come are answered.
func (d *door) serve(ctx context.Context, l listening) error {
	server := &http.Server{Handler: d.handler(), ReadHeaderTimeout: headerTime, WriteTimeout: writeTime,
		IdleTimeout:    idleTime,
		MaxHeaderBytes: headerMax, ErrorLog: slog.NewLogLogger(l.Logger.Handler(), slog.LevelDebug)}
	bounded := netutil.LimitListener(l.Listener, connections)
	served := make(chan error, 1)
	go func() {
		if l.TLS == nil {
			served <- server.Serve(bounded)
			return
		}
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: l.TLS.get}
		served <- server.ServeTLS(bounded, "", "")
	}()
	l.Logger.Info("http door open", "addr", l.Listener.Addr().String(), "tls", l.TLS != nil)
	select {
	case err := <-served:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	last := context.WithoutCancel(ctx)
	hurry := time.AfterFunc(l.Grace, d.hurry)
	defer hurry.Stop()
	within, cancel := context.WithTimeout(last, l.Grace+lastTime)
	defer cancel()
	if err := server.Shutdown(within); err != nil {
		_ = server.Close()
		return fmt.Errorf("requests were cut off at the end: %w", err)
	}
	<-served
	return nil
}
