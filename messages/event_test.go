// Events are read as they are written, and nothing else is read as one.

package messages_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"protocolq/messages"
)

func TestDecodeEvent(t *testing.T) {
	want := messages.Event{V: 1, Run: "p7wh50Gl5FtduXfJKX4mRc", Key: "k-1", Partner: "2088000000000001", UserEmail: "a***@e***.com",
		Outcome: messages.Abnormal, Code: "NO_NORMAL_SIGN_CUSTOMER", Attempts: 1, AskedAtMs: 1, ExpiresAtMs: 2, AskIDs: []string{"g2"}, Asks: 1}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	later := strings.Replace(string(data), "{", `{"of_a_later_version":[1],`, 1)
	for _, text := range []string{string(data), later} {
		got, err := messages.DecodeEvent([]byte(text))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
	}
}

func TestNoEvent(t *testing.T) {
	for text, want := range map[string]messages.Error{
		``: {Code: messages.BadRequest},
		`{"v":1,"run":"r","outcome":"signed"} {}`:  {Code: messages.BadRequest},
		`{"v":1,"run":7,"outcome":"signed"}`:       {Code: messages.BadRequest},
		`{"run":"r","outcome":"signed"}`:           {Code: messages.BadRequest, Field: "v"},
		`{"v":2,"run":"r","outcome":"signed"}`:     {Code: messages.BadRequest, Field: "v", Newer: true},
		`{"v":1,"outcome":"signed"}`:               {Code: messages.BadRequest, Field: "run"},
		`{"v":1,"run":"r","outcome":"perhaps"}`:    {Code: messages.BadRequest, Field: "outcome"},
		strings.Repeat(" ", messages.MaxMessage+1): {Code: messages.TooLarge},
	} {
		e, err := messages.DecodeEvent([]byte(text))
		fault, ok := errors.AsType[*messages.Error](err)
		if !ok || fault.Code != want.Code || fault.Field != want.Field || fault.Newer != want.Newer || e.V != 0 {
			t.Errorf("%.60q: %+v, %v", text, e, err)
		}
	}
}
