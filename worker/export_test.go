// For the fuzz target and the tests of batches: their form is nobody else's business.

package worker

// Posted is a request as a batch holds it.
type Posted struct{ Token, ReplyTo, Subject, ID, Partner, Trace, Data string }

// EncodeBatch is what a front door stores of these.
func EncodeBatch(list ...Posted) []byte {
	var asks []*storing
	for _, p := range list {
		asks = append(asks, &storing{request: request{p.Token, p.ReplyTo, p.Subject, p.ID, p.Partner, p.Trace, []byte(p.Data)}})
	}
	return encodeBatch(asks)
}

// DecodeBatch reads it.
func DecodeBatch(b []byte) (list []Posted, err error) {
	requests, err := decodeBatch(b)
	for _, r := range requests {
		list = append(list, Posted{r.token, r.replyTo, r.subject, r.id, r.partner, r.trace, string(r.data)})
	}
	return list, err
}
