// What GitHub reads of this tree: the workflow runs .ci/run, which anybody can run, and the
// issue forms are valid.

package main

import (
	"path/filepath"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestWorkflowRunsCI(t *testing.T) {
	var flow struct {
		Jobs map[string]struct {
			Steps []struct{ Run, Uses string }
		}
	}
	if err := yaml.Unmarshal([]byte(readPage(t, ".github/workflows/ci.yml")), &flow); err != nil {
		t.Fatal(err)
	}
	runs := false
	for _, job := range flow.Jobs {
		for _, step := range job.Steps {
			runs = runs || step.Run == ".ci/run"
		}
	}
	if !runs {
		t.Error("no step of .github/workflows/ci.yml runs .ci/run")
	}
}

func TestIssueForms(t *testing.T) {
	forms, err := filepath.Glob(filepath.Join(top, ".github", "ISSUE_TEMPLATE", "*.yml"))
	if err != nil || len(forms) == 0 {
		t.Fatalf("no issue forms: %v", err)
	}
	kinds := []string{"markdown", "textarea", "input", "dropdown", "checkboxes"}
	for _, path := range forms {
		var form struct {
			Name, Description string
			Body              []struct {
				Type       string
				ID         string
				Attributes struct{ Label, Value string }
			}
		}
		if err := yaml.Unmarshal([]byte(readText(t, path)), &form); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if form.Name == "" || form.Description == "" || len(form.Body) == 0 {
			t.Errorf("%s has no name, no description or no body", path)
		}
		for _, field := range form.Body {
			if !slices.Contains(kinds, field.Type) || field.Attributes.Label == "" && field.Attributes.Value == "" {
				t.Errorf("%s has a field %q of type %q without a label", path, field.ID, field.Type)
			}
		}
	}
}
