// The caller's trace, which the door passes on to the workers.

package httpdoor

import "context"

type traceKey struct{}

// withTrace keeps the traceparent of a request in its context.
func withTrace(ctx context.Context, traceparent string) context.Context {
	return context.WithValue(ctx, traceKey{}, traceparent)
}

// traceOf is the traceparent in a request's context, or "", as the caller sent it.
func traceOf(ctx context.Context) string {
	s, _ := ctx.Value(traceKey{}).(string)
	return s
}
