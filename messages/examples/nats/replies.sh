#!/bin/sh
# Reads and acknowledges one durable reply of refunds, also an old one: replies.sh (after protocolq provision --asker refunds)
exec nats consumer next PROTOCOL_REPLIES refunds --raw --ack
