#!/usr/bin/env bash
# Is the chamber any good? Ten deliberate breaks, each in a copy of the tree: it must catch every one, in under a minute.
# usage: cmd/chaos/mutate.sh [NAME…]     fence, grace, reply, claim, dedupe, log, leak, rest, rate, budget; all where left out
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work
go build -o "$work/chaos" ./cmd/chaos

missed=0
chosen=" $* "
for name in "$@"; do
	grep -q "^mutant $name " cmd/chaos/mutate.sh || { echo "mutate: there is no break $name; see the head of cmd/chaos/mutate.sh" >&2; exit 2; }
done

# mutant NAME SCENARIO SEED FILE PERL [FILE PERL] changes files of a copy and lets the chamber look at it.
mutant() {
	local name=$1 scenario=$2 seed=$3 tree=$work/$1
	[[ $chosen = '  ' || $chosen = *" $name "* ]] || return 0
	mkdir "$tree"
	git ls-files -z --cached --others --exclude-standard | tar -c --null --ignore-failed-read -T - 2>/dev/null | tar -x -C "$tree"
	shift 3
	while [ $# -gt 0 ]; do
		cp "$tree/$1" "$work/before"
		perl -0pi -e "$2" "$tree/$1"
		! cmp -s "$work/before" "$tree/$1" || { echo "mutate: $name changes nothing in $1" >&2; exit 2; }
		shift 2
	done
	(cd "$tree" && go build -o "$work/protocolq" ./cmd/protocolq && go build -tags failpoint -o "$work/armed" ./cmd/protocolq)
	local since=$SECONDS code=0
	"$work/chaos" -source "$tree" -scenario "$scenario" -seed "$seed" -for 8s >"$work/$name.out" 2>&1 || code=$?
	local took=$((SECONDS - since))
	if [ $code = 1 ] && grep -q '^  BROKEN  ' "$work/$name.out" && ! grep -q 'the chamber itself' "$work/$name.out" && [ $took -lt 60 ]; then
		printf 'caught  %-7s by %-8s in %2d s: %s\n' "$name" "$scenario" "$took" "$(sed -n 's/^  BROKEN  //p' "$work/$name.out" | paste -sd ';')"
	else
		printf 'MISSED  %-7s by %-8s (exit code %d, %d s)\n' "$name" "$scenario" "$code" "$took"
		tail -n 20 "$work/$name.out"
		missed=1
	fi
	rm -rf "$tree"
}

# No fence: a lease never lapses, and its holder writes over whatever is there.
mutant fence fence 1 worker/dedupe/lease.go \
	's/(func \(l \*Lease\) Check\(\) error \{\n)/$1\treturn nil\n/; s/(\t\tseq, err := l\.store\.Put\(ctx, l\.key)/\t\tif e, err := l.store.Get(ctx, l.key); err == nil {\n\t\t\tl.seq = e.Seq\n\t\t}\n$1/'
# No grace for a suspect holder, who may be alive and on his way to the store.
mutant grace server 1 worker/dedupe/decide.go \
	's/if left := o\.Grace - silent; left > 0/if left := o.Grace - silent; left > time.Hour/'
# The reply before the record.
mutant reply kills 1 worker/dedupe/step.go \
	's/(\tif err := l\.write\(ctx, &rec, g\.outlive\(out)/\tg.tellAll(f, Verdict{Kind: Answered, Source: Asked, Run: rec.Run, Answer: rec.Answer, At: g.o.Clock(), Until: g.o.Clock().Add(out.Keep), Record: &rec})\n\ttime.Sleep(100 * time.Millisecond)\n$1/'
# No claim before the call.
mutant claim rolling 1 worker/dedupe/step.go \
	's/seq, err := g\.o\.Store\.Put\(g\.work, f\.key, &rec, Terms\{Expect: s\.expect, .*?\}\)\n/seq, err := s.expect, error(nil)\n/'
# No dedupe of asks: each has a key of its own.
mutant dedupe rolling 1 messages/key.go \
	's/(\tvar text \[52\]byte\n)/\tsum = hashFields("k", q.Partner, q.ID)\n$1/'
# The runs that say no are not logged.
mutant log kills 1 worker/querylog/publisher.go \
	's/(\) PublishRun\(ctx context\.Context, q \*messages\.Query.*?\{\n\tif p\.discards)/$1 || r.Outcome == string(messages.NotSigned)/s'
# E-mails are logged as they are.
mutant leak kills 1 messages/mask.go \
	's/(func MaskEmail\(s string\) string \{\n)/$1\tif s != "" {\n\t\treturn s\n\t}\n/'
# Each call leaves a goroutine behind.
mutant rest hostile 1 gateway/client.go \
	's/(\) Ask\(ctx context\.Context, q Query, fence func\(\) error\) .*?\{\n)/$1\tgo func() { select {} }()\n/'
# Each worker has the fleet's rate for itself.
mutant rate outage 1 worker/limit/rate.go \
	's/if start\.Before\(now\) \|\|/if now.After(start) || true ||/'
# A budget of retries without an end.
mutant budget gateway 1 worker/limit/budget.go \
	's/if b\.tokens < 1 \{/if b.tokens < -1e9 {/'

exit $missed
