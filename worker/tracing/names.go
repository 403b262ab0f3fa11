// Names of spans and their attributes. OpenTelemetry's conventions for messaging are still in
// development and may change: all of them are in this file.

package tracing

import (
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"

	"protocolq/messages"
)

// Attributes that OpenTelemetry names (semantic conventions 1.44). "nats" is the value of
// messaging.system in other instrumentations.
const (
	messagingSystem      = "messaging.system"
	messagingOperation   = "messaging.operation.name"
	messagingType        = "messaging.operation.type"
	messagingDestination = "messaging.destination.name"
	messagingTemplate    = "messaging.destination.template"
	messagingGroup       = "messaging.consumer.group.name"
	messagingMessageID   = "messaging.message.id"              // the ask's token, never the asker's id
	messagingCorrelation = "messaging.message.conversation_id" // the run; a key may hash a person's e-mail
	errorType            = "error.type"
	serverAddress        = "server.address"
	httpMethod           = "http.request.method"
	httpResend           = "http.request.resend_count"
	httpStatus           = "http.response.status_code"
	httpBodySize         = "http.response.body.size"
)

// Attributes of our own.
const (
	ourPartner     = "protocolq.partner"
	ourOutcome     = "protocolq.outcome"
	ourCode        = "protocolq.code"
	ourSource      = "protocolq.source"
	ourMember      = "protocolq.member"
	ourAttempts    = "protocolq.attempts"
	ourDeaths      = "protocolq.deaths"
	ourSettles     = "protocolq.asks"
	ourRedelivered = "protocolq.redelivered"
	ourReused      = "protocolq.connection_reused"
	ourWaitedMs    = "protocolq.waited_ms" // from the journal to the reply
	ourDNSMs       = "protocolq.dns_ms"
	ourConnectMs   = "protocolq.connect_ms"
	ourTLSMs       = "protocolq.tls_ms"
	ourFirstByteMs = "protocolq.first_byte_ms"
	ourBodyMs      = "protocolq.body_ms"
)

// attributes are the attributes of a span, without empty values.
type attributes []*commonpb.KeyValue

func (a *attributes) text(name, value string) {
	if value != "" {
		*a = append(*a, &commonpb.KeyValue{Key: name,
			Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}})
	}
}

func (a *attributes) number(name string, value int64) {
	if value != 0 {
		*a = append(*a, &commonpb.KeyValue{Key: name,
			Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: value}}})
	}
}

func (a *attributes) float(name string, value float64) {
	if value != 0 {
		*a = append(*a, &commonpb.KeyValue{Key: name,
			Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: value}}})
	}
}

func (a *attributes) flag(name string, value bool) {
	if value {
		*a = append(*a, &commonpb.KeyValue{Key: name,
			Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: value}}})
	}
}

// replied are the attributes of an answer.
func (a *attributes) replied(outcome messages.Outcome, code string) {
	a.text(ourOutcome, string(outcome))
	a.text(ourCode, code)
}
