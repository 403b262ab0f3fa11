// Package localstack is everything in one process: a NATS server with JetStream, the practice
// gateway, workers and a recorder. It is what dev and demo stand on.
package localstack
