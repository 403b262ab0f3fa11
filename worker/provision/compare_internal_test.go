// No setting is overlooked, not even one that a later client library adds.

package provision

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestEveryFieldIsCompared(t *testing.T) {
	every(t, jetstream.StreamConfig{Duplicates: time.Minute}, streamAside, CompareStreams)
	every(t, jetstream.ConsumerConfig{}, consumerAside, CompareConsumers)
}

func every[T any](t *testing.T, plain T, aside []string, compare func(have, want T) []Difference) {
	t.Helper()
	if d := compare(plain, plain); len(d) > 0 {
		t.Errorf("equal ones differ: %v", d)
	}
	for i := range reflect.TypeFor[T]().NumField() {
		setting, _, _ := strings.Cut(reflect.TypeFor[T]().Field(i).Tag.Get("json"), ",")
		other := plain
		change(reflect.ValueOf(&other).Elem().Field(i))
		d := compare(other, plain)
		if compared := len(d) == 1 && d[0].Setting == setting; compared == slices.Contains(aside, setting) && setting != "filter_subject" {
			t.Errorf("%s: %v", setting, d)
		}
	}
}

// change gives a field another value.
func change(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("other")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		change(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.Struct:
		change(v.Field(0))
	default:
		if v.CanUint() {
			v.SetUint(v.Uint() + 1)
		} else {
			v.SetInt(v.Int() + 1)
		}
	}
}

func TestKeepRoom(t *testing.T) {
	have := jetstream.StreamConfig{Replicas: 3, MaxBytes: 8, MaxMsgs: -1, MaxMsgsPerSubject: 0, MaxAge: time.Hour}
	change := jetstream.StreamConfig{Replicas: 1, MaxBytes: 4, MaxMsgs: 7, MaxMsgsPerSubject: 1, MaxAge: time.Minute}
	keepRoom(have, &change, 1)
	if !reflect.DeepEqual(change, have) {
		t.Errorf("%+v, want %+v", change, have)
	}
	more := jetstream.StreamConfig{Replicas: 5, MaxBytes: -1, MaxMsgs: 9, MaxMsgsPerSubject: -1, MaxAge: 2 * time.Hour}
	want := more
	want.MaxMsgs = -1
	if keepRoom(have, &more, 0); !reflect.DeepEqual(more, want) {
		t.Errorf("%+v, want %+v", more, want)
	}
}

func TestOldVersion(t *testing.T) {
	for version, old := range map[string]bool{
		"2.10.29": true, "2.9.0": true, "1.4.1": true, "2.11.0": false, "2.15.2": false, "2.15.0-dev": false, "3.0.0": false, "": false, "next": false,
	} {
		if oldVersion(version) != old {
			t.Errorf("%q is old: %v", version, !old)
		}
	}
}

func TestLag(t *testing.T) {
	peer := func(current, offline bool) *jetstream.PeerInfo {
		return &jetstream.PeerInfo{Name: "s2", Current: current, Offline: offline, Lag: 7}
	}
	for _, c := range []struct {
		wanted int
		of     *jetstream.ClusterInfo
		want   string
	}{
		{1, nil, ""},
		{1, &jetstream.ClusterInfo{Leader: "s1"}, ""},
		{3, &jetstream.ClusterInfo{}, "S has no leader"},
		{3, &jetstream.ClusterInfo{Leader: "s1"}, "S has 1 of 3"},
		{2, &jetstream.ClusterInfo{Leader: "s1", Replicas: []*jetstream.PeerInfo{peer(true, false)}}, ""},
		{2, &jetstream.ClusterInfo{Leader: "s1", Replicas: []*jetstream.PeerInfo{peer(false, false)}}, "S on s2, 7 behind"},
		{2, &jetstream.ClusterInfo{Leader: "s1", Replicas: []*jetstream.PeerInfo{peer(false, true)}}, "S on s2, which is away"},
		{2, &jetstream.ClusterInfo{Leader: "s1", Replicas: []*jetstream.PeerInfo{peer(true, false)}, Desired: &jetstream.DesiredClusterInfo{}}, "S has 2 of 2"},
	} {
		if got := strings.Join(lag("S", c.wanted, c.of), ", "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.of, got, c.want)
		}
	}
}
