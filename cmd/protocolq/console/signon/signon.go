// Sign-in at the organisation's own provider: OpenID Connect, code flow with PKCE.

// Package signon sends a reader to the organisation's provider and trusts the provider about who
// the reader is. Only the file of users decides what the reader may do.
//
//	/sign-on ─► provider ─► /sign-on/back ─► code and verifier to the provider ─► ID token ─► a name
package signon

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/web"
)

// Back is the path to which a provider sends readers back.
const Back = "/sign-on/back"

// Options say which provider to use. All but Secret are needed.
type Options struct {
	Issuer   string
	ClientID string
	// Secret returns the client's secret as it is now; nil: the client is public.
	Secret func() (string, error)
	// Claim is the field of the ID token with a user's name: "email", "preferred_username", "sub".
	Claim string
	// URL is the console's address for readers, without a path.
	URL    string
	Sealer *access.Sealer
}

// OIDC is one provider. Its configuration is read when the first reader signs in, so that the
// console starts without the provider.
type OIDC struct {
	o      Options
	client *http.Client

	mu       sync.Mutex // guards provider
	provider *oidc.Provider
}

// Bounds: how long the provider may take to respond, and a reader may stay at the provider.
const (
	providerTime = 10 * time.Second
	readerTime   = 10 * time.Minute
)

// New makes an OIDC. It sends no request yet.
func New(o Options) *OIDC {
	return &OIDC{o: o, client: &http.Client{Timeout: providerTime}}
}

// begun is what a reader's browser keeps while the reader is at the provider.
type begun struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	Next     string `json:"x"`
	Until    int64  `json:"u"`
}

const (
	cookie  = "protocolq_signon"
	purpose = "sign-on"
)

// Begin implements web.SignOn.
func (p *OIDC) Begin(x *web.Exchange, next string) error {
	flow, _, err := p.flow(x.R.Context())
	if err != nil {
		return &web.Fault{Status: http.StatusServiceUnavailable, Err: err}
	}
	b := begun{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: next,
		Until: time.Now().Add(readerTime).Unix()}
	x.SetCookie(cookie, p.o.Sealer.Seal(purpose, b), readerTime)
	return x.Redirect(flow.AuthCodeURL(b.State, oidc.Nonce(b.Nonce), oauth2.S256ChallengeOption(b.Verifier)))
}

// End implements web.SignOn.
func (p *OIDC) End(x *web.Exchange) (name, next string, err error) {
	b, err := p.resume(x)
	if err != nil {
		return "", "", err
	}
	if fault := x.R.FormValue("error"); fault != "" {
		return "", "", fmt.Errorf("the provider refused: %.100q", fault)
	}
	flow, provider, err := p.flow(x.R.Context())
	if err != nil {
		return "", "", err
	}
	ctx := oidc.ClientContext(x.R.Context(), p.client)
	token, err := flow.Exchange(ctx, x.R.FormValue("code"), oauth2.VerifierOption(b.Verifier))
	if err != nil {
		if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok { // its text would show the response's body
			return "", "", fmt.Errorf("the provider gave no token: %.100q", refused.ErrorCode)
		}
		return "", "", fmt.Errorf("get the token: %w", err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return "", "", errors.New("the provider gave no ID token")
	}
	id, err := provider.Verifier(&oidc.Config{ClientID: p.o.ClientID}).Verify(ctx, raw)
	if err != nil {
		return "", "", fmt.Errorf("verify the ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(b.Nonce)) != 1 {
		return "", "", errors.New("the ID token is not for this sign-in")
	}
	name, err = p.nameOf(id)
	return name, b.Next, err
}

// resume finds the sign-in that this browser has begun. Each can be finished once.
func (p *OIDC) resume(x *web.Exchange) (b begun, err error) {
	c, err := x.R.Cookie(cookie)
	if err != nil {
		return b, errors.New("no sign-in was begun in this browser, or it is too long ago")
	}
	x.SetCookie(cookie, "", -time.Second)
	if !p.o.Sealer.Open(purpose, c.Value, &b) || time.Now().Unix() >= b.Until {
		return b, errors.New("the sign-in was begun too long ago")
	}
	if subtle.ConstantTimeCompare([]byte(x.R.FormValue("state")), []byte(b.State)) != 1 {
		return b, errors.New("this belongs to another sign-in")
	}
	return b, nil
}

// nameOf is the user's name: the claim that the settings name. An e-mail that the provider has not
// verified could belong to anybody.
func (p *OIDC) nameOf(id *oidc.IDToken) (string, error) {
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return "", fmt.Errorf("read the ID token: %w", err)
	}
	name, _ := claims[p.o.Claim].(string)
	if name == "" {
		return "", fmt.Errorf("the ID token has no %s", p.o.Claim)
	}
	if verified, said := claims["email_verified"]; p.o.Claim == "email" && said && verified != true &&
		verified != "true" {
		return "", errors.New("the provider has not verified this e-mail")
	}
	return name, nil
}

// flow is the sign-in with the provider, by the configuration at its well-known address.
func (p *OIDC) flow(ctx context.Context) (*oauth2.Config, *oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.provider == nil {
		// The provider keeps the client of this context for its keys. So the context must not end with a
		// request.
		provider, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.o.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("ask the provider what it can do: %w", err)
		}
		p.provider = provider
	}
	secret := ""
	if p.o.Secret != nil {
		var err error
		if secret, err = p.o.Secret(); err != nil {
			return nil, nil, fmt.Errorf("read the client's secret: %w", err)
		}
	}
	return &oauth2.Config{ClientID: p.o.ClientID, ClientSecret: secret, Endpoint: p.provider.Endpoint(),
		RedirectURL: p.o.URL + Back,
		Scopes:      []string{oidc.ScopeOpenID, "profile", "email"}}, p.provider, nil
}
