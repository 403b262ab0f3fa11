// The operators' switches on NATS: the records that 'protocolq partner' and 'protocolq intake'
// write.

package console

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/intake"
	"protocolq/worker/partner"
	"protocolq/worker/publish"
	"protocolq/worker/record"
)

// switches reads and writes these records.
type switches struct {
	names            messages.Names
	js               jetstream.JetStream
	partners, intake *record.Stream
}

func newSwitches(nc *nats.Conn, js jetstream.JetStream, names messages.Names, api string) *switches {
	to := publish.New(nc)
	return &switches{names: names, js: js, partners: worker.PartnerRecords(nc, to, names).At(api),
		intake: worker.IntakeRecords(nc, to, names).At(api)}
}

// Pause implements letters.Switches, as do the others.
func (s *switches) Pause(ctx context.Context) (intake.Pause, error) {
	return intake.ReadPause(ctx, s.intake)
}

func (s *switches) SetPause(ctx context.Context, p intake.Pause) error {
	return intake.WritePause(ctx, s.intake, p)
}

func (s *switches) SetHalt(ctx context.Context, name string, h partner.Halt) error {
	return partner.WriteHalt(ctx, s.partners, name, h)
}

// Halts returns the halts of all partners that have a record.
func (s *switches) Halts(ctx context.Context) (map[string]partner.Halt, error) {
	stream, err := s.js.Stream(ctx, s.names.Stream(messages.Fleet))
	if err != nil {
		return nil, fmt.Errorf("read halts: %w", err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(s.names.Partner("*", partner.HaltRecord)))
	if err != nil {
		return nil, fmt.Errorf("read halts: %w", err)
	}
	halts, head := map[string]partner.Halt{}, strings.TrimSuffix(s.names.Partner("", ""), ".")
	for subject := range info.State.Subjects {
		name := strings.TrimSuffix(strings.TrimPrefix(subject, head), "."+partner.HaltRecord)
		if halts[name], err = partner.ReadHalt(ctx, s.partners, name); err != nil {
			return nil, fmt.Errorf("read the halt of %s: %w", name, err)
		}
	}
	return halts, nil
}
