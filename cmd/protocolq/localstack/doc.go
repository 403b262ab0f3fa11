// Package localstack is everything in one process: a NATS server with JetStream, the practice
// gateway, workers and a recorder. The commands dev and demo use it.
package localstack
