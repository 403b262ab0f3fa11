// How a stream or consumer that is there differs from the declared one.

package provision

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// differences collects settings that are not as declared.
type differences []Difference

func differ[T comparable](d *differences, setting string, have, want T) {
	if have != want {
		*d = append(*d, Difference{Setting: setting, Have: fmt.Sprint(have), Declared: fmt.Sprint(want)})
	}
}

func compareStreams(have, want jetstream.StreamConfig) []Difference {
	var d differences
	differ(&d, "subjects", list(have.Subjects), list(want.Subjects))
	differ(&d, "retention", have.Retention, want.Retention)
	differ(&d, "discard", have.Discard, want.Discard)
	differ(&d, "discard_new_per_subject", have.DiscardNewPerSubject, want.DiscardNewPerSubject)
	differ(&d, "storage", have.Storage, want.Storage)
	differ(&d, "num_replicas", have.Replicas, want.Replicas)
	differ(&d, "max_bytes", have.MaxBytes, want.MaxBytes)
	differ(&d, "max_age", have.MaxAge, want.MaxAge)
	differ(&d, "max_msgs_per_subject", unlimited(have.MaxMsgsPerSubject), unlimited(want.MaxMsgsPerSubject))
	if want.Duplicates != 0 {
		differ(&d, "duplicate_window", have.Duplicates, want.Duplicates)
	}
	differ(&d, "allow_msg_ttl", have.AllowMsgTTL, want.AllowMsgTTL)
	differ(&d, "allow_direct", have.AllowDirect, want.AllowDirect)
	differ(&d, "republish", republish(have.RePublish), republish(want.RePublish))
	return d
}

func compareConsumers(have, want jetstream.ConsumerConfig) []Difference {
	var d differences
	differ(&d, "filter_subjects", list(filters(have)), list(filters(want)))
	differ(&d, "ack_policy", have.AckPolicy, want.AckPolicy)
	differ(&d, "ack_wait", have.AckWait, want.AckWait)
	differ(&d, "max_deliver", have.MaxDeliver, want.MaxDeliver)
	differ(&d, "max_ack_pending", have.MaxAckPending, want.MaxAckPending)
	differ(&d, "max_waiting", have.MaxWaiting, want.MaxWaiting)
	return d
}

// filters are a consumer's filter subjects; the server moves a single one into the older field.
func filters(c jetstream.ConsumerConfig) []string {
	if c.FilterSubject != "" {
		return []string{c.FilterSubject}
	}
	return c.FilterSubjects
}

func list(s []string) string {
	s = slices.Clone(s)
	slices.Sort(s)
	return strings.Join(s, " ")
}

// unlimited maps the two spellings of no limit to one.
func unlimited(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}

func republish(r *jetstream.RePublish) string {
	if r == nil {
		return "none"
	}
	return r.Source + " to " + r.Destination
}
