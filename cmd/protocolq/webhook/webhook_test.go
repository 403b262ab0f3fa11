// How messages are signed, what files of secrets and targets hold, and when a message is sent
// again.

package webhook

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The vector is that of the Standard Webhooks specification's own libraries.
func TestSignGolden(t *testing.T) {
	secrets, err := ParseSecrets([]byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	at := time.Unix(1614265330, 0)
	if got := sign(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232314}`)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for name, got := range map[string]string{
		"id":   sign(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJel", at, []byte(`{"test": 2432232314}`)),
		"time": sign(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", at.Add(time.Second), []byte(`{"test": 2432232314}`)),
		"body": sign(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232315}`)),
	} {
		if got == want {
			t.Errorf("another %s is signed the same", name)
		}
	}
	two := append(secrets, []byte("another secret of 32 bytes length"))
	if got := sign(two, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232314}`)); !strings.HasPrefix(got, want+" v1,") {
		t.Errorf("by two: %s", got)
	}
}

func TestParseSecrets(t *testing.T) {
	good := NewSecret()
	for file, n := range map[string]int{
		good:                                  1,
		good + "\n":                           1,
		good + "\r\n" + NewSecret() + "\n":    2,
		"":                                    0,
		"\n":                                  0,
		"secret":                              0,
		"whsec_":                              0,
		"whsec_c2hvcnQ=":                      0,
		good + "\nsecret":                     0,
		strings.Repeat(NewSecret()+"\n", 4):   0,
		"whsec_" + strings.Repeat("AAAA", 30): 0,
	} {
		got, err := ParseSecrets([]byte(file))
		if len(got) != n || (err == nil) != (n > 0) || err != nil && strings.Contains(err.Error(), "c2hvcnQ") {
			t.Errorf("%q: %d, %v", file, len(got), err)
		}
	}
}

// A target's file has the address first. Neither the target nor an error shows what the file
// holds.
func TestParseTarget(t *testing.T) {
	secret := NewSecret()
	for file, good := range map[string]bool{
		"https://crm.example.com/hook?token=canary\n" + secret + "\n":            true,
		"# the desk's\nhttp://127.0.0.1:1/canary\r\n\n" + secret + "\n" + secret: true,
		"":                                    false,
		"# nothing\n":                         false,
		"https://crm.example.com/canary":      false,
		secret:                                false,
		secret + "\nhttps://crm.example.com/": false,
		"http://crm.example.com/canary\n" + secret:                                false,
		"https://crm.example.com/canary\ncanary":                                  false,
		"https://crm.example.com/\n" + strings.Repeat(secret+"\n", mostSecrets+1): false,
	} {
		to, err := ParseTarget([]byte(file))
		if shown := fmt.Sprintf("%v %+v %#v %s", to, to, to, err); (err == nil) != good || strings.Contains(shown, "canary") || strings.Contains(shown, secret) {
			t.Errorf("%q: %s", file, shown)
		}
	}
}

func TestNextTry(t *testing.T) {
	for _, tt := range []struct {
		n           uint64
		age, wanted time.Duration
		least       time.Duration
		again       bool
	}{
		{0, 0, 0, 5 * time.Second, true},
		{1, 0, 0, 5 * time.Second, true},
		{2, time.Minute, 0, 10 * time.Second, true},
		{10, time.Hour, 0, 2560 * time.Second, true},
		{11, time.Hour, 0, time.Hour, true},
		{1 << 60, time.Hour, 0, time.Hour, true},
		{1, 0, 30 * time.Second, 30 * time.Second, true},
		{1, 0, 1000 * time.Hour, time.Hour, true},
		{30, 22*time.Hour + 40*time.Minute, 0, time.Hour, true},
		{30, 23 * time.Hour, 0, time.Hour, false},
		{1, 24 * time.Hour, 0, 5 * time.Second, false},
	} {
		wait, again := NextTry(tt.n, tt.age, tt.wanted)
		if wait < tt.least || wait > tt.least*6/5 || again != tt.again {
			t.Errorf("%+v: %s, %v", tt, wait, again)
		}
	}
}
