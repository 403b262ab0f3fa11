// The steps are marked, and cost and do nothing unless asked for.

package failpoint_test

import (
	"testing"

	"protocolq/worker/failpoint"
)

func TestOffByDefault(t *testing.T) {
	t.Setenv("PROTOCOLQ_FAILPOINT", "here:1") // without the build tag it is not read; with it, it was read before
	if n := testing.AllocsPerRun(100, func() { failpoint.Hit("here"); failpoint.Soon("here") }); n != 0 {
		t.Errorf("%v allocations a hit", n)
	}
}
