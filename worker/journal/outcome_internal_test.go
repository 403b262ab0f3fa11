// What became of a batch, by everything that its member's last message may be.

package journal

import (
	"strings"
	"testing"
)

func TestFateOf(t *testing.T) {
	at := func(position, number uint64, entries ...Entry) Message {
		data, err := Encode(number, 0, entries...)
		if err != nil {
			t.Fatal(err)
		}
		return Message{Member: "me", Position: position, Data: data}
	}
	foreign, own := &Seal{By: "other", Why: "silent"}, &Seal{By: "me", Why: "drained"}
	corrupt := at(17, 5)
	corrupt.Data[7] ^= 1
	newer := at(17, 5)
	newer.Data = append([]byte{}, newer.Data...)
	newer.Data[0] = 2
	newer.Data = withSum(newer.Data)

	batch := sent{member: "me", number: 5, expect: 16}
	first := sent{member: "me", number: 1}
	seals := sent{member: "me", number: 5, expect: 16, seals: true}
	for _, c := range []struct {
		name string
		sent sent
		last Message
		want fate
		why  string
	}{
		{"first, nothing there", first, Message{}, absent, ""},
		{"first, there", first, at(3, 1), stored, ""},
		{"first, sealed before it", first, at(3, 1, foreign), over, "sealed by other: silent"},
		{"first, a later one there", first, at(3, 2), rewound, "batch 2 lies where batch 1"},
		{"there", batch, at(17, 5), stored, ""},
		{"there, with entries", batch, at(99, 5, &Told{}), stored, ""},
		{"the one before it", batch, at(16, 4), absent, ""},
		{"nothing", batch, Message{}, rewound, "batch 4 at position 16 is gone"},
		{"an older one", batch, at(15, 3), rewound, "batch 3 lies at position 15, batch 4 lay at 16"},
		{"an older one, where the last one lay", batch, at(16, 3), rewound, "batch 3 lies at position 16"},
		{"the one before it elsewhere", batch, at(20, 4), rewound, "batch 4 lies where batch 5"},
		{"its own number before it", batch, at(12, 5), rewound, "batch 5 lies at position 12"},
		{"a later one", batch, at(18, 6), rewound, "batch 6 lies where batch 5"},
		{"sealed by another", batch, at(17, 5, foreign), over, "sealed by other: silent"},
		{"sealed by itself, and it knows nothing of it", batch, at(17, 5, own), over, "sealed by me: drained"},
		{"sealed where the last one lay", batch, at(16, 4, foreign), rewound, "batch 4 lies at position 16"},
		{"there, and sealed after it", batch, at(18, 6, foreign), sealedAfter, "sealed by other: silent"},
		{"there, and sealed much later", batch, at(18, 7, foreign), rewound, "batch 7 lies where batch 5"},
		{"own seal, there", seals, at(17, 5, &Told{}, own), stored, ""},
		{"own seal, sealed by another", seals, at(17, 5, foreign), over, "sealed by other"},
		{"own seal, the one before it", seals, at(16, 4), absent, ""},
		{"own seal, not a seal", seals, at(17, 5), rewound, "batch 5 is another than was sent"},
		{"corrupt", batch, corrupt, unreadable, "corrupt"},
		{"not understood", batch, newer, unreadable, "not understood"},
	} {
		got, why := fateOf(c.sent, c.last)
		if got != c.want || !strings.Contains(why, c.why) || (why == "") != (c.why == "") {
			t.Errorf("%s: %v, %q; want %v, %q", c.name, got, why, c.want, c.why)
		}
	}
}

func withSum(data []byte) []byte {
	n := sum(data)
	data[1], data[2], data[3], data[4] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return data
}
