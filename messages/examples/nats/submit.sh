#!/bin/sh
# Asks without waiting: submit.sh ID E-MAIL. Prints the stream's acknowledgement. Without one, or with an "error" in it, run it again.
: "${2:?usage: submit.sh ID E-MAIL}"
exec nats request protocol.submit "{\"id\": \"$1\", \"user_email\": \"$2\", \"reply_to\": \"protocol.reply.refunds\"}" --raw
