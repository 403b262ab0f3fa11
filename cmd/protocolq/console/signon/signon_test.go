// Signing in at a played provider, also at one that lies.

package signon_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/signon"
	"protocolq/cmd/protocolq/console/web"
)

// provider plays an organisation's provider. Its fields are its lies.
type provider struct {
	url       string
	key       *rsa.PrivateKey
	signer    *rsa.PrivateKey // signs the tokens; if it is not key, they are forged
	challenge string
	nonce     string
	claims    map[string]any
	refuse    bool
}

func play(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: key, signer: key, claims: map[string]any{}}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"issuer": p.url, "authorization_endpoint": p.url + "/authorize", "token_endpoint": p.url + "/token", "jwks_uri": p.url + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("client_id") != "console" {
			http.Error(w, "not by code flow with PKCE", http.StatusBadRequest)
			return
		}
		p.challenge, p.nonce = q.Get("code_challenge"), q.Get("nonce")
		back := q.Get("redirect_uri") + "?" + url.Values{"code": {"c1"}, "state": {q.Get("state")}}.Encode()
		http.Redirect(w, r, back, http.StatusFound)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		_, secret, _ := r.BasicAuth()
		if p.refuse || base64.RawURLEncoding.EncodeToString(sum[:]) != p.challenge || r.FormValue("code") != "c1" || secret != "s3cret" {
			w.WriteHeader(http.StatusBadRequest)
			answer(w, map[string]string{"error": "invalid_grant", "error_description": "somebody's secret"})
			return
		}
		answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": p.token(t)})
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	p.url = srv.URL
	return p
}

// token is an ID token of li, changed by claims.
func (p *provider) token(t *testing.T) string {
	claims := map[string]any{"iss": p.url, "aud": "console", "sub": "4711", "email": "li@example.com", "email_verified": true, "nonce": p.nonce,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
	for name, v := range p.claims {
		claims[name] = v
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.signer, KeyID: "k1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// open serves a console that knows li, and returns a browser that follows redirects.
func open(t *testing.T, p *provider) (string, *http.Client) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.yaml")
	data, err := access.FormatUsers([]access.User{{Name: "li@example.com", Role: access.Agent}})
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	users, err := access.OpenUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := access.NewSealer(nil)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(nil)
	address := "http://" + srv.Listener.Addr().String()
	page, err := web.New(web.Options{Users: users, Sealer: sealer, SignOn: signon.New(signon.Options{Issuer: p.url, ClientID: "console", Claim: "email",
		Secret: func() (string, error) { return "s3cret", nil }, URL: address, Sealer: sealer})})
	if err != nil {
		t.Fatal(err)
	}
	srv.Config.Handler = page
	srv.Start()
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return address, &http.Client{Jar: jar}
}

// signIn goes to the provider and back, and reports whether there is a session in the end.
func signIn(t *testing.T, c *http.Client, address string) (status int, in bool) {
	t.Helper()
	a, err := c.Get(address + "/sign-on?next=/nothing")
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range c.Jar.Cookies(u) {
		in = in || cookie.Name == "protocolq_session"
	}
	return a.StatusCode, in
}

func TestOrganisationsSignIn(t *testing.T) {
	forger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		lie func(*provider)
		in  bool
	}{
		"as it should be":     {func(*provider) {}, true},
		"verified as text":    {func(p *provider) { p.claims["email_verified"] = "true" }, true},
		"not in the file":     {func(p *provider) { p.claims["email"] = "zhao@example.com" }, false},
		"e-mail not verified": {func(p *provider) { p.claims["email_verified"] = false }, false},
		"no e-mail":           {func(p *provider) { p.claims["email"] = nil }, false},
		"another client's":    {func(p *provider) { p.claims["aud"] = "another" }, false},
		"another provider's":  {func(p *provider) { p.claims["iss"] = "https://evil.example" }, false},
		"of another sign-in":  {func(p *provider) { p.claims["nonce"] = "old" }, false},
		"expired":             {func(p *provider) { p.claims["exp"] = time.Now().Add(-time.Hour).Unix() }, false},
		"forged":              {func(p *provider) { p.signer = forger }, false},
		"refused":             {func(p *provider) { p.refuse = true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := play(t)
			tt.lie(p)
			address, c := open(t, p)
			status, in := signIn(t, c, address)
			if want := map[bool]int{true: http.StatusNotFound, false: http.StatusForbidden}[tt.in]; in != tt.in || status != want { // next leads to nothing
				t.Errorf("status %d, a session: %v", status, in)
			}
		})
	}
}

// The way back works once, and only for the browser that began it.
func TestWayBackIsNobodyElses(t *testing.T) {
	p := play(t)
	address, c := open(t, p)
	var back string
	c.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), address+signon.Back) && back == "" {
			back = r.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}
	if _, in := signIn(t, c, address); in || back == "" {
		t.Fatalf("%v, %s", in, back)
	}
	_, other := open(t, p)
	for i, tt := range []struct {
		c    *http.Client
		url  string
		want int
	}{
		{other, back, http.StatusForbidden},                                   // a link sent to somebody else
		{c, address + signon.Back + "?code=c1&state=x", http.StatusForbidden}, // another's state; it ends the sign-in
		{c, back, http.StatusForbidden},
	} {
		a, err := tt.c.Get(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.StatusCode != tt.want {
			t.Errorf("%d: %d, want %d", i, a.StatusCode, tt.want)
		}
	}
}

// A console starts without its provider, and says so to a reader who wants to sign in.
func TestProviderIsAway(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	defer away.Close()
	address, c := open(t, &provider{url: away.URL})
	a, err := c.Get(address + "/sign-on")
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	if a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d", a.StatusCode)
	}
}
