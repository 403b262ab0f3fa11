// OpenTelemetry's own variables, OTEL_…: operators with a collector usually have them set.

package tracing

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Environment returns a variable, or "", and a file's content. A variable may name a file.
type Environment struct {
	Var  func(name string) string
	File func(path string) ([]byte, error)
}

const exporter = "OTEL_EXPORTER_OTLP_"

// FromEnvironment reads where traces go and which are followed. endpoint, which may be "", takes
// precedence over the variables. on is false if no collector is named, or if OTEL_SDK_DISABLED or
// OTEL_TRACES_EXPORTER=none turns tracing off.
func FromEnvironment(endpoint string, env Environment) (o ExportOptions, s Sampler, on bool, err error) {
	var faults []error
	// of returns the variable for traces, or else the one for all signals.
	of := func(name string) (value, variable string) {
		for _, variable = range []string{exporter + "TRACES_" + name, exporter + name} {
			if value = env.Var(variable); value != "" {
				return value, variable
			}
		}
		return "", variable
	}
	fault := func(variable string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s %w", variable, err))
		}
	}
	if o.URL, err = address(endpoint, true); err != nil {
		return o, s, false, err
	}
	if endpoint == "" {
		value, variable := of("ENDPOINT")
		o.URL, err = address(value, variable == exporter+"ENDPOINT")
		fault(variable, err)
	}
	if len(faults) == 0 && o.URL == "" || env.Var("OTEL_SDK_DISABLED") == "true" ||
		env.Var("OTEL_TRACES_EXPORTER") == "none" {
		return o, s, false, nil
	}
	if v, variable := of("PROTOCOL"); v != "" && v != "http/protobuf" {
		fault(variable, fmt.Errorf("is %q; http/protobuf alone is spoken", v))
	}
	if v, variable := of("TIMEOUT"); v != "" {
		ms, err := strconv.Atoi(v)
		if err != nil || ms < 1 || ms > 60_000 {
			fault(variable, errors.New("must be milliseconds, 1 to 60000"))
		}
		o.Timeout = time.Duration(ms) * time.Millisecond
	}
	v, variable := of("COMPRESSION")
	if o.Gzip = v == "gzip"; v != "" && v != "gzip" && v != "none" {
		fault(variable, errors.New("must be gzip or none"))
	}
	v, variable = of("HEADERS")
	o.Headers, err = pairs(v)
	fault(variable, err)
	o.Resource, err = pairs(env.Var("OTEL_RESOURCE_ATTRIBUTES"))
	fault("OTEL_RESOURCE_ATTRIBUTES", err)
	if err == nil {
		o.Resource["service.name"] = cmp.Or(env.Var("OTEL_SERVICE_NAME"), o.Resource["service.name"], "protocolq")
	}
	ca, _ := of("CERTIFICATE")
	cert, _ := of("CLIENT_CERTIFICATE")
	key, _ := of("CLIENT_KEY")
	o.TLS, err = tlsOf(env.File, ca, cert, key)
	fault(exporter+"CERTIFICATE, CLIENT_CERTIFICATE, CLIENT_KEY:", err)
	s, err = sampler(env.Var("OTEL_TRACES_SAMPLER"), env.Var("OTEL_TRACES_SAMPLER_ARG"))
	fault("OTEL_TRACES_SAMPLER", err)
	return o, s, true, errors.Join(faults...)
}

// address is a collector's address, with the path added to a base.
func address(s string, base bool) (string, error) {
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("must be a URL such as http://127.0.0.1:4318")
	case u.User != nil:
		return "", errors.New("must hold no user or password; use OTEL_EXPORTER_OTLP_HEADERS")
	case base:
		u = u.JoinPath("v1", "traces")
	case u.Path == "":
		u.Path = "/"
	}
	return u.String(), nil
}

// pairs reads k=v,k2=v2, percent-encoded. Its errors do not show the text: it may be secret.
func pairs(s string) (map[string]string, error) {
	list := map[string]string{}
	for pair := range strings.SplitSeq(s, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil || name == "" || strings.ContainsAny(name+value, "\r\n") {
			return nil, errors.New("must be name=value, several separated by commas, percent-encoded")
		}
		list[name] = value
	}
	return list, nil
}

func tlsOf(file func(string) ([]byte, error), ca, cert, key string) (*tls.Config, error) {
	if ca == "" && cert == "" && key == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := file(ca)
		if err != nil {
			return nil, err
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", ca)
		}
	}
	if cert == "" && key == "" {
		return c, nil
	}
	certPEM, err := file(cert)
	if err != nil {
		return nil, err
	}
	keyPEM, err := file(key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	c.Certificates = []tls.Certificate{pair}
	return c, err
}

// sampler reads the name and the argument of one of OpenTelemetry's samplers.
func sampler(name, arg string) (Sampler, error) {
	s := Sampler{Ratio: 1}
	var with string
	switch name {
	case "", "parentbased_always_on":
		return s, nil
	case "parentbased_always_off":
		return Sampler{}, nil
	case "always_on":
		return Sampler{Ratio: 1, Alone: true}, nil
	case "always_off":
		return Sampler{Alone: true}, nil
	case "traceidratio":
		s.Alone, with = true, arg
	case "parentbased_traceidratio":
		with = arg
	default:
		return s, fmt.Errorf("%q is not known; parentbased_traceidratio with OTEL_TRACES_SAMPLER_ARG=0.1 follows "+
			"every tenth", name)
	}
	ratio, err := strconv.ParseFloat(cmp.Or(with, "1"), 64)
	if err != nil || !(0 <= ratio && ratio <= 1) {
		return s, errors.New("needs OTEL_TRACES_SAMPLER_ARG between 0 and 1")
	}
	s.Ratio = ratio
	return s, nil
}
