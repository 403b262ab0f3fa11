// The caller's trace, which the door passes on to the workers.

package httpdoor

import "context"

type traceKey struct{}

// withTrace keeps the traceparent of a request in its context.
func withTrace(ctx context.Context, traceparent string) context.Context {
	return context.WithValue(ctx, traceKey{}, traceparent)
}

// traceOf is the traceparent that a request's context has, or "". It is as the caller sent it.
func traceOf(ctx context.Context) string {
	s, _ := ctx.Value(traceKey{}).(string)
	return s
}
