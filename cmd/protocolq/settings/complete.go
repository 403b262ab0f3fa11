// What a shell offers after a flag, for every command that has it.

package settings

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"protocolq/gateway/mapi"
)

// words are the values of settings that have only a few.
var words = map[string][]string{
	"sign-type":   {string(mapi.MD5), string(mapi.RSA), string(mapi.RSA2), string(mapi.DSA)},
	"charset":     {"utf-8", "gbk", "gb2312"},
	"log-level":   {"debug", "info", "warn", "error"},
	"log-format":  {"auto", "text", "json"},
	"after-crash": {"rerun", "fail"},
}

// Complete lets a shell offer the values of flags in every command below c: those of settings with
// a few words, the partners, and more, by the flag's name. A command's own offers stay.
func Complete(c *cobra.Command, more map[string][]string) {
	for _, known := range []map[string][]string{words, more} {
		for name, values := range known {
			offer(c, name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	offer(c, "partner", CompletePartner)
	offer(c, "context", CompleteContext)
	offer(c, "nats-context", completeNATSContext)
	for _, below := range c.Commands() {
		Complete(below, more)
	}
}

func offer(c *cobra.Command, name string, values cobra.CompletionFunc) {
	if c.Flags().Lookup(name) == nil {
		return
	}
	if _, has := c.GetFlagCompletionFunc(name); !has {
		_ = c.RegisterFlagCompletionFunc(name, values) // fails only if there is no such flag
	}
}

// CompletePartner offers the partners of the settings file, or the practice partners if it has
// none.
func CompletePartner(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	cfg := &Config{}
	set, fs := New(cfg, "partner", "partners"), pflag.NewFlagSet("", pflag.ContinueOnError)
	set.AddFlags(fs)
	for _, where := range []string{"config", "context"} {
		if f := c.Flags().Lookup(where); f != nil && f.Changed {
			_ = fs.Set(where, f.Value.String())
		}
	}
	_ = set.Load(fs) // the command reports the faults when it runs
	var ids []string
	for _, p := range cfg.Partners {
		ids = append(ids, p.ID)
	}
	if cfg.Partner != "" && !slices.Contains(ids, cfg.Partner) {
		ids = append(ids, cfg.Partner)
	}
	if len(ids) == 0 {
		for _, p := range PracticeSet {
			ids = append(ids, p.ID)
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// CompleteContext offers the contexts.
func CompleteContext(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	names, _ := ContextNames() // the command reports the faults when it runs
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeNATSContext offers the contexts of the nats command line. The setting may also name a
// file.
func completeNATSContext(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	dir, err := userConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	files, _ := filepath.Glob(filepath.Join(dir, "nats", "context", "*.json")) // the pattern is right
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), ".json")
	}
	return files, cobra.ShellCompDirectiveDefault
}
