// Package check_test renders deploy/kubernetes in both ways, by Kustomize's and Helm's own
// packages, and looks at what comes out. It is a module of its own: the program needs nothing of
// all that.
package check_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// hook is a setting of the page that each way takes beside those it has.
const hook = "/run/secrets/protocolq/webhook"

// objects are what is applied, by kind and name.
type objects map[string]map[string]any

// rendered is what each way gives, by the way and what was asked for beyond workers and recorders.
func rendered(t *testing.T) map[string]objects {
	t.Helper()
	return map[string]objects{
		"kustomize":            kustomized(t, "base"),
		"helm":                 helmed(t, map[string]any{}),
		"kustomize, autoscale": kustomized(t, "scaled"),
		"helm, autoscale":      helmed(t, map[string]any{"autoscaling": map[string]any{"enabled": true}}),
		"kustomize, doors":     kustomized(t, "doors"),
		"helm, doors": helmed(t, map[string]any{"console": map[string]any{"enabled": true, "settings": map[string]any{"PROTOCOLQ_CONSOLE_WEBHOOK_FILE": hook}},
			"http": map[string]any{"enabled": true}}),
	}
}

// kustomized renders a folder, with overlays of this test beside what is there.
func kustomized(t *testing.T, folder string) objects {
	t.Helper()
	in := filesys.MakeFsInMemory()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return in.WriteFile(strings.TrimPrefix(filepath.ToSlash(path), "../"), data)
	})
	for overlay, more := range map[string]string{"scaled": "components: [../autoscale]\n",
		"doors": "components: [../console, ../http, settings]\n"} {
		if err == nil {
			err = in.WriteFile(overlay+"/kustomization.yaml", []byte("resources: [../base]\n"+more))
		}
	}
	if err == nil {
		err = in.WriteFile("doors/settings/kustomization.yaml", []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"+
			"configMapGenerator: [{name: protocolq-console, behavior: merge, literals: [PROTOCOLQ_CONSOLE_WEBHOOK_FILE="+hook+"]}]\n"))
	}
	if err != nil {
		t.Fatal(err)
	}
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(in, folder)
	if err != nil {
		t.Fatal(err)
	}
	text, err := made.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text))
}

// helmed renders the chart with these values.
func helmed(t *testing.T, values map[string]any) objects {
	t.Helper()
	c, err := loader.Load(filepath.Join("..", "chart"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: "test", Namespace: "protocolq"}, chartutil.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	e := engine.Engine{Strict: true}
	files, err := e.Render(c, all)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, file := range files {
		text.WriteString("---\n" + file + "\n")
	}
	return parse(t, text.String())
}

var hashed = regexp.MustCompile(`(protocolq(?:-recorder|-console|-http)?)-[0-9a-z]{10}\b`)

// parse reads objects. The hashes that Kustomize gives to names of settings are taken away.
func parse(t *testing.T, text string) objects {
	t.Helper()
	all := objects{}
	for part := range strings.SplitSeq(hashed.ReplaceAllString("\n"+text, "$1"), "\n---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(part), &o); err != nil {
			t.Fatalf("%v\n%s", err, part)
		}
		if o == nil {
			continue
		}
		name := o["kind"].(string) + "/" + o["metadata"].(map[string]any)["name"].(string)
		if all[name] != nil {
			t.Errorf("%s is there twice", name)
		}
		all[name] = o
	}
	return all
}

// as reads an object as the API server does, which takes no field that it does not know.
func as[T any](t *testing.T, o map[string]any) (into T) {
	t.Helper()
	data, err := json.Marshal(o)
	if err == nil {
		err = yaml.UnmarshalStrict(data, &into)
	}
	if err != nil {
		t.Errorf("%s: %v", o["kind"], err)
	}
	return into
}
