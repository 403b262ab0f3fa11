// Which calls are slow, without naming a person.

package worker

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/messages"
)

func TestSlowCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var u underWay
		if list := u.slow(time.Now()); list == nil || len(list) > 0 {
			t.Errorf("at rest %v", list)
		}
		var ends []func()
		for i := range 8 {
			ends = append(ends, u.begin(&messages.Query{Partner: "2088", UserEmail: fmt.Sprintf("canary%d@example.com", i)}, i+1))
			time.Sleep(200 * time.Millisecond)
		}
		ends = append(ends, u.begin(&messages.Query{AccountNo: "2088000000000777"}, 1))
		if list := u.slow(time.Now()); len(list) != 4 || list[0].Attempt != 1 || list[0].ForMs != 1600 || list[0].Partner != "2088" {
			t.Errorf("%+v", list)
		}
		ends[0]()
		time.Sleep(time.Second)
		list := u.slow(time.Now())
		if len(list) != mostSlow || list[0].Attempt != 2 {
			t.Errorf("%+v", list)
		}
		for _, end := range ends[1:8] {
			end()
		}
		list = append(list, u.slow(time.Now())...)
		if text := fmt.Sprint(list); strings.Contains(text, "canary") || strings.Contains(text, "000000777") || list[len(list)-1].Account == "" {
			t.Errorf("a person is named: %s", text)
		}
		ends[8]()
		if len(u.all) != 0 {
			t.Errorf("%d are left", len(u.all))
		}
	})
}
