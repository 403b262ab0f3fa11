#!/bin/sh
# Asks and waits for the answer: await.sh E-MAIL
: "${1:?usage: await.sh E-MAIL}"
exec nats request protocol.query "{\"id\": \"refund-R-1001\", \"user_email\": \"$1\"}" --raw --timeout 20s --no-templates
