#!/bin/sh
# Asks with curl: TOKEN=… ask.sh E-MAIL KEY. Prints the answer; exits with 0 only if it is the gateway's answer.
set -eu
: "${TOKEN:?usage: TOKEN=… ask.sh E-MAIL KEY}" "${2:?usage: TOKEN=… ask.sh E-MAIL KEY, the key of your own case, such as refund-R-1001}"
door=${DOOR:-http://127.0.0.1:8481} headers=$(mktemp)
trap 'rm -f "$headers"' EXIT
auth="Authorization: Bearer $TOKEN"

# said NAME prints a header of the last response.
said() { sed -n "s/^$1: *\([^ ]*\)\r$/\1/Ip" "$headers" | tail -n 1; }
status() { sed -n 's/^HTTP[^ ]* \([0-9]*\).*/\1/p' "$headers" | tail -n 1; }

# The same key is the same request: it is safe to send it again, also if the response was lost.
body=$(curl -s -D "$headers" "$door/v1/queries" -H "$auth" -H 'Content-Type: application/json' -H 'Prefer: wait=20' \
	-H "Idempotency-Key: $2" --retry 3 --retry-connrefused -d "{\"user_email\": \"$1\"}")
location=$(said Location)
while [ "$(status)" = 202 ]; do # stored; the answer will be there
	sleep "$(said Retry-After)"
	body=$(curl -s -D "$headers" "$door$location" -H "$auth" --retry 3 --retry-connrefused)
done
echo "$body"
case $body in *'"outcome":"signed"'* | *'"outcome":"not_signed"'* | *'"outcome":"abnormal"'*) ;; *) exit 1 ;; esac
