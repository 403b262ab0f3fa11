// Rows of the query log as a table, JSON, lines of JSON or CSV.

package logdb

import (
	"strconv"

	"protocolq/worker/querylog/database"
)

// AskColumns are the columns of a CSV, in the order of the JSON's fields.
var AskColumns = []string{"time", "token", "at_ms", "took_ms", "id", "run", "partner", "key_id", "email", "email_id",
	"account", "account_id", "hash_version",
	"source", "door", "subject", "reply", "outcome", "code", "trace", "field"}

// AskCells are the cells of one row of them.
func AskCells(a *database.Ask) []string {
	return []string{a.At().UTC().Format("2006-01-02T15:04:05.000Z"), a.Token, strconv.FormatInt(a.AtMs, 10),
		strconv.FormatInt(a.TookMs, 10), a.ID, a.Run, a.Partner,
		a.KeyID, a.Email, a.EmailID, a.Account, a.AccountID, a.HashVersion, a.Source, a.Door, a.Subject, a.Reply,
		a.Outcome, a.Code, a.Trace, a.Field}
}
