// What an endpoint says about its messages: their schemas, for `nats service info`.

package intake

import (
	"encoding/json"
	"slices"

	"protocolq/messages"
)

// described is the metadata of an endpoint of the query door.
func described() map[string]string {
	return map[string]string{"request": brief(messages.QuerySchema()), "response": brief(messages.ResultSchema()),
		"encodings": string(messages.JSON) + ", " + string(messages.MsgPack)}
}

// brief is a JSON Schema without its texts for people. It is half as long; each worker sends it in
// every INFO response.
func brief(schema string) string {
	var s map[string]any
	if json.Unmarshal([]byte(schema), &s) != nil {
		return "" // it is our own, and a test reads it
	}
	withoutWords(s)
	short, _ := json.Marshal(s)
	return string(short)
}

// withoutWords removes the annotations from a schema. Names of properties are not annotations.
func withoutWords(schema map[string]any) {
	for name, v := range schema {
		if slices.Contains([]string{"$schema", "$comment", "title", "description", "x-personal"}, name) {
			delete(schema, name)
		}
		if name == "properties" {
			for _, property := range v.(map[string]any) {
				withoutWords(property.(map[string]any))
			}
		}
	}
}
