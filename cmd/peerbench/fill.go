// Fill: answers in the workers' log, as many as are wanted, written like those of a member.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/worker/journal"
)

const (
	journalStream = "PROTOCOL_JOURNAL"
	batchSubject  = "protocol.journal."
	filler        = journal.Member("peerbench-fill")
	keepFilled    = time.Hour // longer than any run
)

// batches returns the batches of a member that begins and answers n keys, tells everything that it
// owes for them, and seals itself. Each answer is like like, under a key and a run of its own. A
// batch takes at most limit bytes.
func batches(like *journal.Answer, n, limit int) func(yield func([]byte, error) bool) {
	return func(yield func([]byte, error) bool) {
		number := uint64(1)
		for i := 0; i < n; number++ {
			d := journal.NewDraft(limit)
			told := &journal.Told{}
			// The told entry has its own room, and takes a few bytes for each answer.
			for i < n && d.Size()+len(like.Result)+8*len(told.Entries)+1024 < limit &&
				len(told.Entries) < journal.MaxRefs {
				at, err := answer(d, like, uint64(i))
				if err != nil {
					yield(nil, err)
					return
				}
				told.Entries = append(told.Entries, at)
				i++
			}
			if len(told.Entries) == 0 {
				yield(nil, fmt.Errorf("no answer of %d bytes goes into a batch of %d", len(like.Result), limit))
				return
			}
			_, err := d.Add(told)
			if !yieldBatch(yield, d, number, err) {
				return
			}
		}
		d := journal.NewDraft(limit)
		_, err := d.Add(&journal.Seal{By: filler, Why: "filled"})
		yieldBatch(yield, d, number, err)
	}
}

func yieldBatch(yield func([]byte, error) bool, d *journal.Draft, number uint64, err error) bool {
	if err != nil {
		yield(nil, err)
		return false
	}
	data, err := d.Encode(number, 0)
	return yield(data, err) && err == nil
}

// answer adds the begin and the answer of key i, and returns the answer's place.
func answer(d *journal.Draft, like *journal.Answer, i uint64) (at journal.Ref, err error) {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, i)) // spread like real keys
	key := journal.Key(sum[:len(journal.Key{})])
	run := fmt.Sprintf("fill%018d", i)
	begun, err := d.Add(&journal.Begin{Key: key, Run: run, Attempt: 1, Partner: like.Partner})
	if err != nil {
		return at, err
	}
	a := *like
	a.Key, a.Run, a.Begun, a.Keep, a.Final, a.Persons = key, run, begun, keepFilled, nil, [2]journal.Hash{}
	return d.Add(&a)
}

// fillJournal writes n answers into the log, all like one that a worker has written.
func fillJournal(ctx context.Context, js jetstream.JetStream, n int) error {
	s, err := js.Stream(ctx, journalStream)
	if err != nil {
		return err
	}
	like, err := anAnswer(ctx, s)
	if err != nil {
		return err
	}
	limit := min(int(js.Conn().MaxPayload())-1024, journal.MaxBatch)
	last := uint64(0)
	for data, err := range batches(like, n, limit) {
		if err != nil {
			return err
		}
		ack, err := js.Publish(ctx, batchSubject+string(filler), data, jetstream.WithExpectLastSequencePerSubject(last))
		if err != nil {
			return fmt.Errorf("fill the log: %w", err)
		}
		last = ack.Sequence
	}
	return nil
}

// anAnswer is the newest conclusive answer in the log.
func anAnswer(ctx context.Context, s jetstream.Stream) (*journal.Answer, error) {
	info, err := s.Info(ctx)
	if err != nil {
		return nil, err
	}
	for seq := info.State.LastSeq; seq >= info.State.FirstSeq && seq > 0; seq-- {
		m, err := s.GetMsg(ctx, seq)
		if err != nil {
			return nil, err
		}
		b, err := journal.Decode(journal.Message{
			Member: journal.Member(strings.TrimPrefix(m.Subject, batchSubject)), Position: seq, Stored: m.Time,
			Data: m.Data,
		})
		if err != nil {
			return nil, fmt.Errorf("batch %d: %w", seq, err)
		}
		for _, e := range b.Entries {
			if a, ok := e.(*journal.Answer); ok && a.Verdict == journal.Conclusive {
				return a, nil
			}
		}
	}
	return nil, errors.New("the log holds no answer to copy")
}
