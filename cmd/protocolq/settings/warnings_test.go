// What a worker logs about partners that stand in public documents.

package settings

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"protocolq/gateway"
)

func TestWarnTestAccounts(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	WarnTestAccounts(log, PracticePartners())
	if out.Len() > 0 {
		t.Errorf("the practice set: %s", &out)
	}
	WarnTestAccounts(log, append(PracticePartners(), gateway.Partner{ID: "2088101008267254"}, gateway.Partner{ID: "2088101568338364"}))
	said := out.String()
	if strings.Count(said, `"level":"WARN"`) != 2 || !strings.Contains(said, `"partner":"2088101008267254"`) || !strings.Contains(said, "3 %") {
		t.Errorf("said %s", said)
	}
}
