// The test accounts. A test in package worker compares the rule for ids with that of messages.

package mapi_test

import (
	"strings"
	"testing"

	"protocolq/gateway/mapi"
)

func TestTestPartners(t *testing.T) {
	for _, id := range []string{"2088101008267254", "2088101568338364", "2088101122136241", "2088101568353491"} {
		if mapi.TestPartner(id) == "" {
			t.Errorf("%s is in public documents and not known as a test account", id)
		}
		if err := mapi.CheckPartner(id); err != nil {
			t.Errorf("%s %v", id, err)
		}
	}
	for _, id := range []string{"", "2088", "2088000000000001", "2088000000000002", "2088001122334455"} {
		if source := mapi.TestPartner(id); source != "" {
			t.Errorf("%q is called a test account, by %s", id, source)
		}
	}
}

func TestPartnerErrorIsSilentAboutTheID(t *testing.T) {
	if err := mapi.CheckPartner("hunter2"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}
