// A partner's key: it signs the partner's queries, and a changed file replaces it.

package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"protocolq/gateway/keyfile"
	"protocolq/gateway/mapi"
)

type partner struct {
	Partner
	signType mapi.SignType
	key      atomic.Pointer[mapi.Key] // written by take, read by every call
	once     bool                     // the key came from a pipe; written only by load
	url      *url.URL                 // the address for its queries
	action   string                   // the same as text

	mu   sync.Mutex // for one take at a time; guards seen
	seen [sha256.Size]byte
}

func newPartner(o Partner) (*partner, error) {
	p := &partner{Partner: o, signType: o.Key.SignType()}
	if p.signType == "" {
		p.signType = o.SignType
	}
	if o.Charset.IsZero() {
		p.Charset = mapi.UTF8
	}
	var faults []error
	if err := mapi.CheckPartner(o.ID); err != nil {
		faults = append(faults, fmt.Errorf("ID %w", err))
	}
	if o.SignType != "" && o.SignType != p.signType {
		faults = append(faults, fmt.Errorf("SignType is %s and the key's is %s", o.SignType, p.signType))
	}
	p.key.Store(&o.Key)
	switch {
	case !o.Key.IsZero():
	case o.KeyFile == "":
		faults = append(faults, errors.New("neither Key nor KeyFile"))
	case p.signType == "":
		faults = append(faults, errors.New("KeyFile without SignType"))
	default:
		if err := p.load(); err != nil {
			faults = append(faults, err)
		}
	}
	return p, errors.Join(faults...)
}

// sendTo sets the address for the partner's queries: the gateway's URL with their charset.
func (p *partner) sendTo(gateway *url.URL) {
	u := *gateway
	u.Host, u.RawQuery = strings.TrimSuffix(u.Host, ":"), "_input_charset="+url.QueryEscape(p.Charset.String())
	p.url, p.action = &u, u.String()
}

// verifier follows the key for MD5, where one secret both signs and verifies.
func (p *partner) verifier() mapi.Verifier {
	if p.Verifier.IsZero() && p.signType == mapi.MD5 {
		return p.key.Load().Verifier()
	}
	return p.Verifier
}

func (p *partner) request(q Query, accountParam string) (Request, error) {
	plain := q.params(p.Charset, accountParam)
	signed, body, err := p.key.Load().Form(plain, p.Charset)
	if err != nil {
		return Request{}, err
	}
	r := Request{Params: signed, Charset: p.Charset, Body: body}
	if q.Explain {
		r.StringToSign, err = plain.StringToSign()
	}
	return r, err
}

// load reads the key file for the first time. If the file is a pipe, load waits for its writer, and
// it is never read again.
func (p *partner) load() error {
	material, source, err := keyfile.Read(context.Background(), p.KeyFile)
	if err != nil {
		return fmt.Errorf("read key file: %w", err)
	}
	p.once = !source.Regular
	_, err = p.take(material)
	return err
}

// reload reads the key file again and uses its key, if that is another one and good. A bad key
// changes nothing.
func (p *partner) reload() (changed bool, err error) {
	if p.KeyFile == "" || p.once {
		return false, nil
	}
	material, err := keyfile.Reread(p.KeyFile)
	if err != nil {
		return false, fmt.Errorf("read key file: %w", err)
	}
	return p.take(material)
}

func (p *partner) take(material []byte) (changed bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := sha256.Sum256(material)
	if sum == p.seen {
		return false, nil
	}
	key, err := mapi.ParseKey(p.signType, material)
	if err != nil {
		return false, fmt.Errorf("key file %s: %w", p.KeyFile, err)
	}
	p.seen = sum
	if key.Equal(*p.key.Load()) {
		return false, nil
	}
	p.key.Store(&key)
	return true, nil
}

// Reload reads again every key file that is a regular file; a key from a pipe stays. A changed,
// good key signs from now on. For a bad one the old key stays, and the error names it and all other
// bad ones.
func (c *Client) Reload() error {
	var faults []error
	for id, p := range c.partners {
		changed, err := p.reload()
		if err != nil {
			faults = append(faults, fmt.Errorf("partner %s keeps its key: %w", id, err))
		}
		if changed {
			c.logger.Info("key file changed, new key in use", "partner", id)
			c.options.KeyChanged(id)
		}
	}
	return errors.Join(faults...)
}

// Run reloads the key files every Options.ReloadEvery until ctx ends, which is not an error. A file
// that stays bad is logged once.
func (c *Client) Run(ctx context.Context) error {
	last := ""
	for {
		// With jitter, so that a fleet does not read a shared disk at the same time.
		every := c.options.ReloadEvery
		timer := time.NewTimer(every - rand.N(every/5+1))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		problem := ""
		if err := c.Reload(); err != nil {
			problem = err.Error()
		}
		if problem != "" && problem != last {
			c.logger.Error("key not reloaded", "err", problem)
		}
		last = problem
	}
}
