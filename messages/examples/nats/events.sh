#!/bin/sh
# Listens to the results of all runs: events.sh
exec nats subscribe 'protocol.event.*.*' --raw
