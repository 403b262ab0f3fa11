// What a shell offers for an id: those of the newest asks.

package querylog

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/logdb"
	"protocolq/cmd/protocolq/settings"
	"protocolq/worker/querylog/database"
)

// The longest wait for completions, and the most to offer.
const (
	offerWithin = 2 * time.Second
	offered     = 50
)

// completeID offers the ids of the newest asks, and for some commands of their runs. Faults are
// reported only when the command itself runs.
func completeID(cfg *settings.Config, set *settings.Set, runs bool) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, begin string) (ids []string, _ cobra.ShellCompDirective) {
		if len(args) > 0 || set.Load(c.Flags(), cfg.NeedDatabase) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), offerWithin)
		defer cancel()
		db, err := logdb.OpenForReading(ctx, cfg.Database)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer db.Close()
		page, _ := db.List(ctx, database.Filter{}, database.Cursor{}, offered)
		return idsOf(page.Asks, begin, runs), cobra.ShellCompDirectiveNoFileComp
	}
}

// idsOf are the ids of asks and of runs with this beginning, each once, the newest first. An
// asker's own id is offered only if a shell takes it as one word.
func idsOf(asks []database.Ask, begin string, runs bool) (ids []string) {
	seen := map[string]bool{"": true}
	for _, a := range asks {
		of := []string{a.ID, a.Run}
		if !runs {
			of = of[:1]
		}
		for _, id := range of {
			if !seen[id] && strings.HasPrefix(id, begin) && cli.ShellWord(id) == id {
				ids = append(ids, id)
			}
			seen[id] = true
		}
	}
	return ids
}
