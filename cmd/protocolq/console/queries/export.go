// The list as a file: CSV or lines of JSON, written while the log is read.

package queries

import (
	"net/http"
	"time"

	"protocolq/cmd/protocolq/console/audit"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/cmd/protocolq/logdb"
)

// exportPage is how long a browser may take over one page of an export.
const exportPage = 30 * time.Second

// mostExports is how many exports may run at once, for all readers. Each uses one of the four
// connections to the database for much of its time, and the pages need a connection, too. A further
// export is told to wait exportWait.
const (
	mostExports = 3
	exportWait  = 30 * time.Second
)

// export writes what 'log export' writes: personal fields are masked in the log itself. It leaves
// an audit row with the number of rows written.
func (s *section) export(x *web.Exchange) error {
	values := x.R.URL.Query()
	format := values.Get("format")
	values.Del("format")
	f, err := parse(values, time.Now())
	if err != nil || format != "csv" && format != "jsonl" {
		return &web.Fault{Status: http.StatusBadRequest, Err: err}
	}
	select {
	case s.exports <- struct{}{}:
		defer func() { <-s.exports }()
	default:
		return &web.Fault{Status: http.StatusTooManyRequests, Wait: exportWait}
	}
	db, err := s.o.Database(x.R.Context())
	if err != nil {
		return &web.Fault{Status: http.StatusServiceUnavailable, Err: err}
	}
	kind := map[string]string{"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}[format]
	x.W.Header().Set("Content-Type", kind)
	x.W.Header().Set("Content-Disposition",
		`attachment; filename="queries-`+time.Now().UTC().Format("20060102-150405")+"."+format+`"`)
	out := http.NewResponseController(x.W)
	goOn := func(int64) { _ = out.SetWriteDeadline(time.Now().Add(exportPage)) }
	goOn(0)
	e := logdb.Export{Filter: f.Filter, CSV: format == "csv", Shown: goOn}
	n, err := e.Write(x.R.Context(), db, x.W)
	row := audit.Row{What: "export", On: "queries", HowMany: int(n)}
	if err != nil {
		s.o.Logger.Warn("export ended early", "rows", n, "err", err)
		row.Fault = "ended early"
	}
	if err := x.Audit(row); err != nil {
		s.o.Logger.Error("export not audited", "err", err)
	}
	return nil // the response has begun
}
