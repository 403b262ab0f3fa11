// The query log's database: whether it is reached, with the rights that a recorder needs, and how
// fast its disk is.

package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"protocolq/worker/querylog/database"
)

// slowSync is how long one commit may take: a recorder makes two a second.
const slowSync = 200 * time.Millisecond

// checkDatabase examines it as the user of the settings, and changes nothing.
func checkDatabase(ctx context.Context, o *Options) []Check {
	if o.Config.Database == "" {
		return nil // a fault of the settings
	}
	ctx, cancel := context.WithTimeout(ctx, 3*checkTime)
	defer cancel()
	e, err := database.Examine(ctx, o.Config.Database)
	if err != nil && !errors.Is(err, database.ErrNotThere) {
		return []Check{fault("database", strings.ReplaceAll(err.Error(), "\n", "; "),
			"can it be reached from here, may this user, and is its password in PGPASSFILE?")}
	}
	return judge(e, err != nil)
}

// judge is the result of an examination.
func judge(e database.Examination, fresh bool) []Check {
	list := []Check{well("database", "tables of version %d", e.Tables)}
	switch {
	case fresh || e.Tables == 0:
		list[0] = well("database", "there are no tables yet: the first recorder makes them")
	case e.Tables > e.Want:
		list[0] = fault("database", fmt.Sprintf("its tables are of version %d, this program knows %d", e.Tables,
			e.Want), "use the program that made them, or a later one")
	}
	if !e.Clock.IsZero() {
		list = append(list, checkSkew("clock.database", e.Clock, e.Before, e.After))
	}
	if len(e.Missing) > 0 {
		list = append(list, fault("database.rights", "this user may not: "+strings.Join(e.Missing, ", "),
			"have the owner of the database grant it, or run the recorder as the user who made the tables"))
	} else {
		list = append(list, well("database.rights", "all that a recorder needs"))
	}
	switch {
	case e.Unsafe != "":
		return append(list, fault("database.fsync", e.Unsafe+": a line leaves the stream before it is safe",
			"write to the primary, with fsync on"))
	case e.Sync > slowSync:
		return append(list, fault("database.fsync", fmt.Sprintf("one commit takes %s", e.Sync.Round(time.Millisecond)),
			"give it a faster disk: the recorder falls behind, and its stream fills"))
	}
	return append(list, well("database.fsync", "one commit takes %s", e.Sync.Round(10*time.Microsecond)))
}
