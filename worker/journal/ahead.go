// Reading ahead: while one part of the log is applied, the next is asked for and decoded.

package journal

import "context"

// page is a response of the log.
type page struct {
	messages []Message
	err      error
}

// coming is a page that the log was asked for.
type coming struct {
	from   uint64
	page   <-chan page
	cancel context.CancelFunc
}

// ask asks for the messages from a position on. The response comes after [readWait] at the latest.
//
// An empty response proves nothing. It includes the message at the position, which was read before:
// those after it are the right ones only if it is still the same message.
func (r *Reader) ask(ctx context.Context, from uint64) coming {
	p := make(chan page, 1)
	wait, cancel := context.WithTimeout(ctx, readWait)
	r.parts.Go(func() {
		defer cancel()
		messages, err := r.o.Source.Next(wait, max(from, 1))
		p <- page{messages, err}
	})
	return coming{from, p, cancel}
}

// next is the response with what follows the cursor, which may have been asked for before.
func (r *Reader) next(ctx context.Context) page {
	r.dropOld()
	c := r.coming
	r.coming = coming{}
	if c.page == nil {
		c = r.ask(ctx, r.Position())
	}
	return <-c.page
}

// dropOld drops a page that was asked for ahead if messages that came by themselves were applied
// after the page before it: it may be too old to have the newest one.
func (r *Reader) dropOld() {
	if r.coming.page != nil && r.coming.from != r.Position() {
		r.coming.cancel()
		r.coming = coming{}
	}
}

// decoded is what [Decode] returned.
type decoded struct {
	batch *Batch
	err   error
}

func decode(m Message) decoded {
	b, err := Decode(m)
	return decoded{b, err}
}

// decodeAhead decodes messages in their order, each before it is needed; nothing of those up to a
// position, which were read before. The caller calls stop when it needs no more.
func (r *Reader) decodeAhead(messages []Message, after uint64) (batches <-chan decoded, stop func()) {
	out, end := make(chan decoded, 1), make(chan struct{})
	r.parts.Go(func() {
		for _, m := range messages {
			var d decoded
			if m.Position > after {
				d = decode(m)
			}
			select {
			case out <- d:
			case <-end:
				return
			}
		}
	})
	return out, func() { close(end) }
}
