// Traces: where they go, by the setting otlp-endpoint and the variables of OpenTelemetry.

package settings

import (
	"context"
	"os"

	"protocolq/gateway/keyfile"
	"protocolq/worker/tracing"
)

// OTLP says where traces go, and which; on is false if there are none.
func (c *Config) OTLP() (o tracing.ExportOptions, s tracing.Sampler, on bool, err error) {
	return tracing.FromEnvironment(c.OTLPEndpoint,
		tracing.Environment{Var: os.Getenv, File: func(path string) ([]byte, error) {
			material, _, err := keyfile.Read(context.Background(), path)
			return material, err
		}})
}

func (c *Config) checkOTLP() error {
	_, _, _, err := c.OTLP()
	return err
}
