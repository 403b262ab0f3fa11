// For the fuzz target and the tests of batches: their form is nobody else's business.

package worker

import "protocolq/messages"

// Posted is a request as a batch holds it.
type Posted struct{ Token, ReplyTo, Subject, ID, Partner, Trace, Data string }

// EncodeBatch is what a front door stores of these.
func EncodeBatch(list ...Posted) []byte {
	var asks []*storing
	for _, p := range list {
		asks = append(asks, &storing{Envelope: messages.Envelope{Token: p.Token, ReplyTo: p.ReplyTo, Subject: p.Subject, ID: p.ID, Partner: p.Partner, Trace: p.Trace, Body: []byte(p.Data)}})
	}
	return encodeBatch(asks)
}

// DecodeBatch reads it.
func DecodeBatch(b []byte) (list []Posted, err error) {
	requests, err := decodeBatch(b)
	for _, r := range requests {
		list = append(list, Posted{r.Token, r.ReplyTo, r.Subject, r.ID, r.Partner, r.Trace, string(r.Body)})
	}
	return list, err
}
