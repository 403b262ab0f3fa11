// Command fakegateway is the signed HTTP gateway for query_customer_protocol. It checks every
// request's MD5 signature and parameters, answers after -latency, fails a share -error-rate of the
// calls with SYSTEM_ERROR, and counts calls by key.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"sort"
	"strings"
	"sync"
	"time"

	"protocolq/cmd/peerbench/gw"
	"protocolq/cmd/peerbench/payload"
)

type counts struct{ calls, failed, flying, overlap int }

type shard struct {
	sync.Mutex
	m map[string]*counts
}

type server struct {
	key        string
	partner    string
	keyParams  []string
	ignore     map[string]bool
	latency    time.Duration
	jitter     time.Duration
	errorRate  float64
	httpErrors float64
	shards     [64]shard

	mu         sync.Mutex // guards the fields below
	badSign    int
	badParams  int
	bad        string
	maxOverlap int
}

// Stats is the answer of /stats.
type Stats struct {
	Calls      int    `json:"calls"`       // signed calls received
	Injected   int    `json:"injected"`    // of them answered with an injected failure
	Distinct   int    `json:"distinct"`    // distinct keys
	Dup        int    `json:"dup"`         // good answers beyond the first, over all keys
	DupKeys    int    `json:"dup_keys"`    // keys with such a second good answer
	MaxPerKey  int    `json:"max_per_key"` // most good answers for one key
	Overlap    int    `json:"overlap"`     // calls begun during another for the same key
	MaxOverlap int    `json:"max_overlap"` // most calls at once for one key
	BadSign    int    `json:"bad_sign"`    // calls refused for their signature
	BadParams  int    `json:"bad_params"`  // well-signed calls refused for another parameter
	BadExample string `json:"bad_example,omitempty"`
}

func (s *server) shard(k string) *shard {
	h := uint32(2166136261)
	for i := 0; i < len(k); i++ {
		h = (h ^ uint32(k[i])) * 16777619
	}
	return &s.shards[h%64]
}

func (s *server) keyOf(p url.Values) string {
	names := s.keyParams
	if len(names) == 0 {
		for k := range p {
			if !s.ignore[k] {
				names = append(names, k)
			}
		}
		sort.Strings(names)
	}
	var b strings.Builder
	for _, k := range names {
		b.WriteString(k + "=" + p.Get(k) + "&")
	}
	return b.String()
}

func (s *server) query(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p := r.Form
	if r.Method == http.MethodPost {
		p = r.PostForm
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	if code := s.check(p, r.URL.Query().Get("_input_charset")); code != "" {
		s.mu.Lock()
		if code == "ILLEGAL_SIGN" {
			s.badSign++
		} else {
			s.badParams++
		}
		s.bad = code + ": " + r.Method + " " + r.URL.RequestURI() + " " + p.Encode()
		s.mu.Unlock()
		refuse(w, code)
		return
	}
	k := s.keyOf(p)
	sh := s.shard(k)
	fail := rand.Float64() < s.errorRate
	failHTTP := !fail && rand.Float64() < s.httpErrors
	sh.Lock()
	c := sh.m[k]
	if c == nil {
		c = &counts{}
		sh.m[k] = c
	}
	c.calls++
	if fail || failHTTP {
		c.failed++
	}
	c.flying++
	if c.flying > 1 {
		c.overlap++
	}
	over := c.flying
	sh.Unlock()
	s.noteOverlap(over)
	if d := s.latency; d > 0 {
		if s.jitter > 0 {
			d += time.Duration(rand.Int64N(int64(s.jitter)))
		}
		time.Sleep(d)
	}
	sh.Lock()
	c.flying--
	sh.Unlock()
	switch {
	case fail:
		refuse(w, "SYSTEM_ERROR")
	case failHTTP:
		w.WriteHeader(http.StatusBadGateway)
	default:
		fmt.Fprintf(w, xmlHead+"<alipay><is_success>T</is_success><charge_agent>T</charge_agent>"+
			"<refund_charge>T</refund_charge><user_id>%s</user_id></alipay>", payload.UserID(p.Get("user_email")))
	}
}

const xmlHead = `<?xml version="1.0" encoding="utf-8"?>` + "\n"

func refuse(w http.ResponseWriter, code string) {
	fmt.Fprintf(w, xmlHead+"<alipay><is_success>F</is_success><error>%s</error></alipay>", code)
}

// check returns the error code for a call that is not a well-signed query.
// urlCharset is the _input_charset of the URL.
func (s *server) check(p url.Values, urlCharset string) string {
	switch {
	case p.Get("sign_type") != gw.SignType:
		return "ILLEGAL_SIGN_TYPE"
	case urlCharset != p.Get("_input_charset"), gw.Sign(p, s.key) != p.Get("sign"):
		return "ILLEGAL_SIGN"
	case p.Get("_input_charset") != gw.Charset:
		return "ILLEGAL_CHARSET"
	case p.Get("service") != gw.Service:
		return "ILLEGAL_SERVICE"
	case p.Get("partner") != s.partner:
		return "ILLEGAL_PARTNER"
	case p.Get("biz_type") != gw.BizType:
		return "ILLEGAL_BIZ_TPYE"
	case p.Get("user_email") == "":
		return "NULL_EMAIL_AND_ACCOUNT_NO"
	case !userID.MatchString(payload.UserID(p.Get("user_email"))):
		return "ILLEGAL_EMAIL"
	}
	return ""
}

var userID = regexp.MustCompile(`^2088[0-9]{12}$`)

func (s *server) noteOverlap(n int) {
	if n < 2 {
		return
	}
	s.mu.Lock()
	s.maxOverlap = max(s.maxOverlap, n)
	s.mu.Unlock()
}

func (s *server) stats(w http.ResponseWriter, _ *http.Request) {
	var st Stats
	for i := range s.shards {
		sh := &s.shards[i]
		sh.Lock()
		for _, c := range sh.m {
			st.Distinct++
			st.Calls += c.calls
			st.Injected += c.failed
			st.Overlap += c.overlap
			good := c.calls - c.failed
			st.MaxPerKey = max(st.MaxPerKey, good)
			if good > 1 {
				st.Dup += good - 1
				st.DupKeys++
			}
		}
		sh.Unlock()
	}
	s.mu.Lock()
	st.BadSign, st.BadParams, st.BadExample = s.badSign, s.badParams, s.bad
	st.MaxOverlap = s.maxOverlap
	s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(st)
}

func (s *server) reset(http.ResponseWriter, *http.Request) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.Lock()
		sh.m = map[string]*counts{}
		sh.Unlock()
	}
	s.mu.Lock()
	s.badSign, s.badParams, s.bad, s.maxOverlap = 0, 0, "", 0
	s.mu.Unlock()
}

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "address")
	s := settings()
	mux := http.NewServeMux()
	mux.HandleFunc("/gateway.do", s.query)
	mux.HandleFunc("/stats", s.stats)
	mux.HandleFunc("/reset", s.reset)
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr()) // the bench reads this line
	log.Fatal((&http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}).Serve(l))
}

// settings reads the flags.
func settings() *server {
	s := &server{ignore: map[string]bool{}}
	flag.StringVar(&s.key, "key", gw.DefaultKey, "MD5 key")
	flag.StringVar(&s.partner, "partner", gw.DefaultPartner, "partner id")
	flag.DurationVar(&s.latency, "latency", 0, "time before an answer")
	flag.DurationVar(&s.jitter, "jitter", 0, "up to this much more")
	flag.Float64Var(&s.errorRate, "error-rate", 0, "share of calls answered with SYSTEM_ERROR")
	flag.Float64Var(&s.httpErrors, "http-error-rate", 0, "share of calls answered with HTTP 502")
	keyParams := flag.String("key-params", "",
		"parameters that make the key, with commas between (default: all but those of -ignore-params)")
	ignore := flag.String("ignore-params", "sign,sign_type,_input_charset", "see -key-params")
	flag.Parse()
	if *keyParams != "" {
		s.keyParams = strings.Split(*keyParams, ",")
	}
	for name := range strings.SplitSeq(*ignore, ",") {
		s.ignore[name] = true
	}
	for i := range s.shards {
		s.shards[i].m = map[string]*counts{}
	}
	return s
}
