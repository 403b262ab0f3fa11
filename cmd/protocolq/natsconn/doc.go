// Package natsconn is the program's way to NATS: connections that are named, never given up and
// never buffering what may be too late, and one query over them. Dial is for a person who waits:
// its errors have an exit code and say what to do. Connect is for programs that run on.
package natsconn
