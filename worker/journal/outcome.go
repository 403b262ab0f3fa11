// What happened to a batch that was not acknowledged: only what the log holds decides.

package journal

import "fmt"

// fate is what happened to a batch.
type fate uint8

const (
	stored      fate = iota + 1 // it is in the log
	over                        // its member was sealed before it: it never will be in the log
	sealedAfter                 // it is in the log at an unknown position, and its member was sealed after it
	// the member's last message is not understood: readers take the member for sealed, or leave.
	unreadable
	absent  // it is not in the log: the same batch is sent again, with the same expectation
	rewound // the log is not the one that was written to: it was restored from an older copy or made again
)

func (f fate) String() string {
	return [...]string{"nothing", "stored", "over", "sealed after", "unreadable", "absent", "rewound"}[f]
}

// sent is a batch on its way.
type sent struct {
	member Member
	number uint64
	expect uint64 // position of the member's batch before it; 0: none
	seals  bool   // it ends with the member's own seal
}

// fateOf decides by the member's last message. A batch is identified by its member, its number and
// whether it is a seal; a seal by another member has the number that the batch would have had.
func fateOf(s sent, last Message) (fate, string) {
	if last.Position == 0 {
		if s.expect == 0 {
			return absent, ""
		}
		return rewound, fmt.Sprintf("batch %d at position %d is gone", s.number-1, s.expect)
	}
	b, err := Decode(last)
	if err != nil {
		return unreadable, err.Error()
	}
	seal := b.Seal()
	switch {
	case last.Position == s.expect && b.Number == s.number-1 && seal == nil:
		return absent, ""
	case last.Position <= s.expect:
		return rewound, fmt.Sprintf("batch %d lies at position %d, batch %d lay at %d", b.Number, last.Position,
			s.number-1, s.expect)
	case seal != nil && b.Number == s.number+1: // its writer had read the batch
		return sealedAfter, fmt.Sprintf("sealed by %s: %s", seal.By, seal.Why)
	case b.Number != s.number:
		return rewound, fmt.Sprintf("batch %d lies where batch %d was to be stored", b.Number, s.number)
	case seal != nil && (seal.By != s.member || !s.seals):
		return over, fmt.Sprintf("sealed by %s: %s", seal.By, seal.Why)
	case seal == nil && s.seals:
		return rewound, fmt.Sprintf("batch %d is another than was sent", s.number)
	}
	return stored, ""
}
