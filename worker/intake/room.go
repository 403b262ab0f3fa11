// Room: which asks are let in while one asker fills the streams that all share.

package intake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/pause"
)

// room keeps one asker from filling the stream of durable replies, which all share, because it does
// not read its replies or asks for more than it reads. A holder is an asker, by its name below
// protocol.reply. While the stream is at least half empty all are let in. After that, a holder that
// uses more than an eighth of it is not let in until its reader has taken its replies.
//
//	each second: STREAM.INFO ── less than half ──► nobody is held up
//	                        └── more ──► STREAM.INFO of each holder that asks ──► held up or not
//
// A second without an ask for a durable reply and without a refusal needs no look, unless a holder
// is held up: an idle worker looks every ten seconds.
//
// Between two looks a holder may add a sixteenth of the stream. A stream of an earlier version
// keeps replies that were read, so unread ones cannot be counted: there nobody is held up.
//
// Refusals at the doors may use half of the stream of dead letters, and a sixteenth between two
// looks: any program can cause refusals without end, and queries that could not be answered matter
// more.
type room struct {
	nc     *nats.Conn
	api    string // prefix of the JetStream API
	names  *names
	log    *slog.Logger
	alarms *alarms

	mu    sync.Mutex       // guards what follows; never held over I/O
	due   bool             // the next second needs a look
	asked map[string]int64 // since the last look, in bytes of replies as they are on average
	held  map[string]bool  // holders that are not let in
	size  int64            // of a reply on average, bytes
	burst int64            // how much a holder may ask for between two looks, bytes; 0: not known yet
	kept  bool             // it was logged that the stream of replies keeps what is read
	dead  int64            // how much refusals may still use of the stream of dead letters, bytes
}

const (
	roomEvery  = time.Second
	roomAtRest = 10 * time.Second
	// mostHolders is how many holders are counted separately between two looks; the others count as
	// one.
	mostHolders = 4096
	// mostLooks is how many holders are looked at in one round.
	mostLooks = 64
	// usualReply is the assumed size of a reply until one was seen, bytes.
	usualReply = 1 << 10
)

func newRoom(js Consumers, n *names, log *slog.Logger, a *alarms) *room {
	return &room{nc: js.Conn(), api: cmp.Or(js.Options().APIPrefix, "$JS.API"), names: n, log: log, alarms: a,
		due: true, asked: map[string]int64{}, held: map[string]bool{}, size: usualReply, dead: math.MaxInt64}
}

// errNoRoom is why an ask is not taken if its asker does not read its durable replies.
var errNoRoom = errors.New("intake: the asker holds too much of the stream of durable replies; its reader has to " +
	"take some")

// enter reports whether an ask with this reply subject may come in.
func (r *room) enter(reply string) bool {
	if !r.names.durable(reply) {
		return true
	}
	holder, _, _ := strings.Cut(reply[len(r.names.Reply()):], ".")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.due = true
	if _, known := r.asked[holder]; !known && len(r.asked) >= mostHolders {
		holder = ""
	}
	if r.held[holder] || r.burst > 0 && r.asked[holder]+r.size > r.burst {
		r.asked[holder] += 0 // so that it is looked at
		return false
	}
	r.asked[holder] += r.size
	return true
}

// run looks at the streams until ctx ends: every second in which that is due, else every
// roomAtRest. Other workers use the room meanwhile.
func (r *room) run(ctx context.Context) {
	for rested := time.Duration(0); pause.For(ctx, roomEvery) == nil; rested += roomEvery {
		if r.isDue() || rested >= roomAtRest {
			r.look(ctx)
			rested = 0
		}
	}
}

func (r *room) isDue() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.due
}

// filled is what a server says about a stream.
type filled struct {
	Error *struct {
		Description string `json:"description"`
	} `json:"error"`
	Config struct {
		MaxBytes  int64                     `json:"max_bytes"`
		Retention jetstream.RetentionPolicy `json:"retention"`
	} `json:"config"`
	State struct {
		Messages int64            `json:"messages"`
		Bytes    int64            `json:"bytes"`
		Subjects map[string]int64 `json:"subjects"` // 100,000 at most: more are too many anyway
	} `json:"state"`
}

// half reports whether more than half of it is used.
func (f *filled) half() bool { return f.Config.MaxBytes > 0 && f.State.Bytes > f.Config.MaxBytes/2 }

// errDeadLetters is why a refusal gets no dead letter now.
var errDeadLetters = errors.New("intake: half of the stream of dead letters is taken; protocolq dead list shows by " +
	"what")

// admits reports whether a refused message may become this dead letter.
func (r *room) admits(l *deadLetter) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.due = true
	if r.dead <= 0 {
		return false
	}
	r.dead -= int64(min(len(l.about.Body), l.bodies()[0]) + usualReply)
	return true
}

// look finds out what is let in. If that is not known, everything is: duties wait for their stream.
func (r *room) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	r.mu.Lock()
	r.due = false
	r.mu.Unlock()
	dead, err := r.info(ctx, messages.Dead, "")
	r.mu.Lock()
	r.dead = math.MaxInt64
	if most := dead.Config.MaxBytes; err == nil && most > 0 {
		r.dead = min(most/2-dead.State.Bytes, most/16)
	}
	r.due = r.due || err != nil || r.dead <= 0
	r.mu.Unlock()
	r.lookAtReplies(ctx)
}

func (r *room) lookAtReplies(ctx context.Context) {
	f, err := r.info(ctx, messages.Replies, "")
	held := map[string]bool{}
	consumed := f.Config.Retention == jetstream.WorkQueuePolicy
	if err == nil && !consumed {
		r.keeps()
	}
	if err == nil && consumed && f.half() {
		held, err = r.greedy(ctx, f)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.asked)
	if err != nil {
		r.due = true
		return
	}
	r.due = r.due || len(held) > 0
	r.held, r.burst, r.size = held, f.Config.MaxBytes/16, usualReply
	if f.State.Messages > 0 {
		r.size = f.State.Bytes / f.State.Messages
	}
}

// keeps logs once that the stream of replies is not as provision makes it.
func (r *room) keeps() {
	r.mu.Lock()
	said := r.kept
	r.kept = true
	r.mu.Unlock()
	if !said {
		r.log.Error("durable replies stay in their stream when they are read: who does not read cannot be told from "+
			"who does", "stream", r.names.Stream(messages.Replies),
			"hint", "retention of a stream cannot be changed: let readers finish, delete the stream, and run "+
				"protocolq provision")
	}
}

// suspects are the holders to look at in one round: those that are held up, then those that asked
// for most. The holder "" stands for many, and cannot be looked at.
func suspects(asked map[string]int64, held map[string]bool) []string {
	all := slices.Collect(maps.Keys(held))
	for holder := range asked {
		if holder != "" && !held[holder] {
			all = append(all, holder)
		}
	}
	slices.SortFunc(all[len(held):], func(a, b string) int { return cmp.Compare(asked[b], asked[a]) })
	return all[:min(len(all), mostLooks)]
}

// greedy are the asking holders that use more than an eighth of the stream.
func (r *room) greedy(ctx context.Context, f filled) (map[string]bool, error) {
	r.mu.Lock()
	look := suspects(r.asked, r.held)
	r.mu.Unlock()
	held := map[string]bool{}
	for _, holder := range look {
		n := int64(0)
		for _, subjects := range [...]string{holder, holder + ".>"} {
			of, err := r.info(ctx, messages.Replies, r.names.Reply()+subjects)
			if err != nil {
				return nil, err
			}
			for _, count := range of.State.Subjects {
				n += count
			}
		}
		if bytes := n * (f.State.Bytes / f.State.Messages); bytes > f.Config.MaxBytes/8 {
			held[holder] = true
			r.say(holder, bytes)
		}
	}
	return held, nil
}

func (r *room) say(holder string, bytes int64) {
	if n, due := r.alarms.again("room", time.Now()); due {
		r.log.Error("durable replies are not read: their asker is let in no more", "asker", messages.MaskText(holder),
			"bytes", bytes, "times", n,
			"hint", "is its reader running, and does it acknowledge what it reads?")
	}
}

// info asks for the state of a stream, with the subjects that match.
func (r *room) info(ctx context.Context, kind messages.Kind, subjects string) (f filled, err error) {
	var body []byte
	if subjects != "" {
		if body, err = json.Marshal(map[string]string{"subjects_filter": subjects}); err != nil {
			return f, err
		}
	}
	m, err := r.nc.RequestWithContext(ctx, r.api+".STREAM.INFO."+r.names.Stream(kind), body)
	if err != nil {
		return f, fmt.Errorf("look at a stream: %w", err)
	}
	if err := json.Unmarshal(m.Data, &f); err != nil {
		return f, fmt.Errorf("look at a stream: %w", err)
	}
	if f.Error != nil {
		return f, errors.New("look at a stream: " + f.Error.Description)
	}
	return f, nil
}
