// JSON Schema of the messages: for programs in other languages, and for editors in which people
// write queries by hand.

package messages

import _ "embed" // the schemas below

//go:embed schema/query.schema.json
var querySchema string

//go:embed schema/result.schema.json
var resultSchema string

//go:embed schema/event.schema.json
var eventSchema string

// QuerySchema is the JSON Schema (2020-12) of a Query.
func QuerySchema() string { return querySchema }

// ResultSchema is the JSON Schema (2020-12) of a Result.
func ResultSchema() string { return resultSchema }

// EventSchema is the JSON Schema (2020-12) of an event.
func EventSchema() string { return eventSchema }
