// The JSON Schema of a settings file, made from the table that defines the settings, so that an
// editor knows them all.

package settings

// Schema is the JSON Schema of a settings file. What one setting means to another it cannot say:
// Load does.
func Schema() map[string]any {
	properties := map[string]any{}
	for _, s := range (&Config{}).table() {
		p := map[string]any{"description": s.usage}
		if s.fallback != "" {
			p["default"] = s.fallback
		}
		for key, value := range s.schema {
			p[key] = value
		}
		properties[s.key()] = p
	}
	return map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "settings of protocolq", "type": "object",
		"additionalProperties": false, "properties": properties,
	}
}

// partnersSchema is the schema of the list of partners.
func partnersSchema() map[string]any {
	properties := map[string]any{}
	for _, key := range partnerKeys {
		properties[key] = map[string]any{"type": []string{"string", "integer"}}
	}
	return map[string]any{"type": "array", "items": map[string]any{
		"type": "object", "additionalProperties": false, "properties": properties, "required": []string{"id",
			"key_file"}}}
}
