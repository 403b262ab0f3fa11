// How an existing stream or consumer differs from the declared one, in every field.

package provision

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Fields that are not compared: names, descriptions, and where the servers keep the stream, which
// the operator of the servers decides. All others are compared, including fields that a later
// client library adds.
var (
	streamAside   = []string{"name", "description", "placement", "metadata", "template_owner"}
	consumerAside = []string{"name", "durable_name", "description", "metadata", "filter_subject"}
)

// CompareStreams lists the differences of an existing stream from the declared one.
func CompareStreams(have, want jetstream.StreamConfig) []Difference {
	if want.Duplicates == 0 {
		want.Duplicates = have.Duplicates // the server's own setting
	}
	return compare(have, want, streamAside)
}

// CompareConsumers does the same for a consumer.
func CompareConsumers(have, want jetstream.ConsumerConfig) []Difference {
	have.FilterSubjects, want.FilterSubjects = filters(have), filters(want)
	return compare(have, want, consumerAside)
}

// compare compares two structs of settings field by field, under their names in the API.
func compare[T any](have, want T, aside []string) (all []Difference) {
	h, w := reflect.ValueOf(have), reflect.ValueOf(want)
	for i := range h.NumField() {
		setting, _, _ := strings.Cut(h.Type().Field(i).Tag.Get("json"), ",")
		if slices.Contains(aside, setting) {
			continue
		}
		if a, b := inWords(setting, h.Field(i)), inWords(setting, w.Field(i)); a != b {
			all = append(all, Difference{Setting: setting, Have: a, Declared: b})
		}
	}
	return all
}

// fixed reports whether a difference is one that no server changes in an existing stream. Such a
// stream stays unchanged: half a change would not give the declared stream either.
func fixed(have, want jetstream.StreamConfig) bool {
	queue := have.Retention == jetstream.WorkQueuePolicy || want.Retention == jetstream.WorkQueuePolicy
	return have.Storage != want.Storage ||
		have.Retention != want.Retention && queue ||
		have.Sealed && !want.Sealed ||
		have.DenyDelete && !want.DenyDelete ||
		have.DenyPurge && !want.DenyPurge ||
		have.AllowMsgTTL && !want.AllowMsgTTL ||
		have.AllowMsgSchedules && !want.AllowMsgSchedules ||
		have.AllowMsgCounter != want.AllowMsgCounter ||
		have.PersistMode != want.PersistMode
}

// filters are a consumer's filter subjects. The server moves a single one into the older field.
func filters(c jetstream.ConsumerConfig) []string {
	if c.FilterSubject != "" {
		return []string{c.FilterSubject}
	}
	return c.FilterSubjects
}

// unbounded are the settings for which both 0 and -1 mean no bound.
var unbounded = []string{"max_consumers", "max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size"}

// inWords spells a setting. Equal settings have equal spellings.
func inWords(setting string, v reflect.Value) string {
	switch x := v.Interface().(type) {
	case *jetstream.RePublish:
		if x != nil && !x.HeadersOnly {
			return x.Source + " to " + x.Destination
		}
	case []string:
		return list(x)
	case fmt.Stringer: // an age, a policy
		if v.Kind() != reflect.Pointer {
			return x.String()
		}
	}
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil(), v.Kind() == reflect.Slice && v.Len() == 0:
		return "none"
	case v.CanInt() && v.Int() == 0 && slices.Contains(unbounded, setting):
		return "-1"
	case v.Kind() == reflect.Pointer, v.Kind() == reflect.Slice, v.Kind() == reflect.Struct:
		var text strings.Builder
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false) // a > is a token of subjects
		if e.Encode(v.Interface()) == nil {
			return strings.TrimSpace(text.String())
		}
	}
	return fmt.Sprint(v.Interface())
}

func list(s []string) string {
	s = slices.Clone(s)
	slices.Sort(s)
	return strings.Join(s, " ")
}
