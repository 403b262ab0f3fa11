#!/usr/bin/env bash
# Is the chaos test any good? Ten deliberate breaks, each in a copy of the tree: it must catch
# every one, in under four minutes.
# usage: cmd/chaos/mutate.sh [NAME…]     all where left out
#        cmd/chaos/mutate.sh -n          only whether each still changes the file that it names
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work
missed=0 run=0 look=''
if [ "${1-}" = -n ]; then look=1; shift; else go build -o "$work/chaos" ./cmd/chaos; fi

chosen=" $* "
for name in "$@"; do
	grep -q "^mutant $name " cmd/chaos/mutate.sh || { echo "mutate: there is no break $name; see the head of cmd/chaos/mutate.sh" >&2; exit 2; }
done

# mutant NAME SCENARIO SEED FILE PERL [FILE PERL] changes files of a copy and lets the chaos test
# look at it.
mutant() {
	local name=$1 scenario=$2 seed=$3 file=$4 tree=$work/$1
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
	run=$((run + 1))
	[ -z "$look" ] || { rm -rf "$tree"; return 0; }
	(cd "$tree" && go vet "./$(dirname "$file")") || { echo "mutate: $name does not compile" >&2; exit 2; }
	local since=$SECONDS code=0
	"$work/chaos" -source "$tree" -scenario "$scenario" -seed "$seed" -for 8s >"$work/$name.out" 2>&1 || code=$?
	local took=$((SECONDS - since))
	if [ $code = 1 ] && grep -q '^  BROKEN  ' "$work/$name.out" && ! grep -q 'the run itself' "$work/$name.out" && [ $took -lt 240 ]; then
		printf 'caught  %-8s by %-8s in %3d s: %s\n' "$name" "$scenario" "$took" "$(sed -n 's/^  BROKEN  //p' "$work/$name.out" | paste -sd ';')"
	else
		printf 'MISSED  %-8s by %-8s (exit code %d, %d s)\n' "$name" "$scenario" "$code" "$took"
		tail -n 20 "$work/$name.out"
		missed=1
	fi
	rm -rf "$tree"
}

# A call begins however long ago the member's newest batch was acknowledged. Of several workers one
# that wakes reads its seal before the request leaves.
mutant fence alone 1 worker/fleet/lease.go \
	's/return f\.open && .*/return f.open/'
# Nobody waits until the calls of a sealed member have ended.
mutant lease kills 1 worker/fleet/turn.go \
	's/until = heard \+ s\.o\.Lease \+ s\.o\.Grace/until = heard/'
# What a dead member owed, nobody owes.
mutant duties kills 1 worker/fleet/owed.go \
	's/return by == id \|\| .*/return by == id/'
# A run that follows one that was cut counts its attempts from the first on.
mutant attempts kills 1 worker/fleet/turn.go \
	's/Attempt: ks\.open\.Attempt \+ 1, Deaths/Attempt: 1, Deaths/'
# CRASHED is not final: who asks again with the same id is asked for again.
mutant final fail 1 worker/fleet/open.go \
	's/\ts\.finals\[id\] = final\{at, .*?\n//'
# Nothing is remembered.
mutant memory rolling 1 worker/fleet/open.go \
	's/(\t\t\treturn\n\t\t\}\n)\t\ts\.answers\.Put\(e\.Key, kept\)\n/$1/'
# Deadlines are five seconds long.
mutant deadline gateway 1 worker/flight/decide.go \
	's/case due <= x\.Now:/case due <= x.Now-5*time.Second:/'
# Runs have a line and no event.
mutant event rolling 1 worker/outbox/duty.go \
	's/all = append\(all, event, runLine\)/all = append(all, runLine)/'
# What a stream does not take is dropped.
mutant away noevents 1 worker/outbox/send.go \
	's/(\tdefault:\n)(\t\ts\.failed\(p, now\)\n)/$1\t\tif b != nil {\n\t\t\tb.leave(s, p)\n\t\t\treturn\n\t\t}\n$2/'
# E-mails are logged as they are.
mutant leak kills 1 messages/mask.go \
	's/(func MaskEmail\(s string\) string \{\n)/$1\tif s != "" {\n\t\treturn s\n\t}\n/'

[ $run -gt 0 ] || { echo 'mutate: none was run' >&2; exit 2; }
[ -z "$look" ] || echo "mutate: each of $run changes the tree"
exit $missed
