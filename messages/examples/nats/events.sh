#!/bin/sh
# Listens to what comes of every run: events.sh
exec nats subscribe 'protocol.event.*.*' --raw
