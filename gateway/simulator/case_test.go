// An account is the same in any case of its e-mail.

package simulator_test

import (
	"fmt"
	"strings"
	"testing"

	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
)

func TestCaseOfAnEmailChangesNothing(t *testing.T) {
	s, err := simulator.New(simulator.Options{Partners: []simulator.Partner{{ID: "2088000000000000", Key: md5Key}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		lower := fmt.Sprintf("agent.%d@sky.example", i)
		a, b := told(t, askRaw(t, s, mapi.UTF8, lower, "")), told(t, askRaw(t, s, mapi.UTF8, strings.ToUpper(lower), ""))
		if a != b {
			t.Errorf("%s is %s in small letters and %s in capitals", lower, a, b)
		}
	}
}
