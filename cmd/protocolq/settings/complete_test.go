// What shell completion offers is accepted.

package settings

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/spf13/cobra"
)

func TestOfferedWordsAreTaken(t *testing.T) {
	for name, values := range words {
		for _, value := range values {
			if _, _, err := load(t, "", "--"+name, value); err != nil {
				t.Errorf("--%s %s: %v", name, value, err)
			}
		}
	}
}

func TestCompletePartner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(path, []byte("partner: '2088000000000007'\npartners:\n- {id: '2088000000000009', key_file: a}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &cobra.Command{Use: "x"}
	New(&Config{}, "partner").AddFlags(c.Flags())
	if got, _ := CompletePartner(c, nil, ""); !slices.Equal(got, []string{PracticeSet[0].ID, PracticeSet[1].ID}) {
		t.Errorf("without a file: %v", got)
	}
	if err := c.Flags().Set("config", path); err != nil {
		t.Fatal(err)
	}
	if got, _ := CompletePartner(c, nil, ""); !slices.Equal(got, []string{"2088000000000009", "2088000000000007"}) {
		t.Errorf("of the file: %v", got)
	}
	if got, _ := CompletePartner(c, []string{"2088000000000009"}, ""); got != nil {
		t.Errorf("a second one: %v", got)
	}
}
