#!/bin/sh
# Reads and acknowledges one durable reply of refunds, however long ago it came: replies.sh (after protocolq provision --asker refunds)
exec nats consumer next PROTOCOL_REPLIES refunds --raw --ack
