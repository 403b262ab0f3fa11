// protocolq call: asks the gateway directly, without a queue. It is the first step of bringing the
// gateway into service.

package ask

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/messages"
	"protocolq/worker"
)

type callFlags struct {
	*direct
	timeout time.Duration
	verbose bool
	out     *cli.Output
}

// Call asks the gateway directly, once.
func Call() *cobra.Command {
	c := &cobra.Command{
		Use:   "call (--email E | --account A) --partner P --key-file F",
		Short: "Ask the gateway directly, once",
		Long: `Makes one call of the gateway, without NATS and without retries, to test whether the partner, the key
and the network are right. -v shows the signed text, how long each phase took (quiet is the 100 ms in
which nothing may come on a new connection before its question), and if no answer came back the
beginning of what did (of an HTML page its text, masked).

Exit codes: 0 signed · 3 not signed or abnormal · 4 refused · 5 unknown · 6 no answer in time`,
		Example: `  protocolq call --partner 2088… --key-file my.key --email agent@example.com -v`,
		Args:    cli.NoArgs,
	}
	f := &callFlags{direct: addDirect(c)}
	c.Flags().DurationVar(&f.timeout, "timeout", 8*time.Second, "how long the call may take in all")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false,
		"show on standard error the signed text (personal data!), the phases, and what came back instead of an answer")
	f.out = cli.AddOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error { return runCall(c, f) }
	return c
}

func runCall(c *cobra.Command, f *callFlags) error {
	if f.timeout <= 0 {
		return cli.Usage("--timeout must be longer than 0")
	}
	client, err := f.client(c, f.timeout)
	if err != nil {
		return err
	}
	defer client.Close()
	settings.TellTestAccount(c.ErrOrStderr(), f.cfg.Partner)
	settings.TellNoProxy(c.ErrOrStderr(), client.Proxy())
	if refusal, ok := f.refusal(); ok {
		return tellResult(c.OutOrStdout(), *f.out, refusal)
	}
	answer, report, err := client.Ask(c.Context(), f.ask(f.verbose), nil)
	if c.Context().Err() != nil {
		return cli.ErrStopped
	}
	if f.verbose {
		tellReport(c.ErrOrStderr(), f.cfg, report)
	}
	told := tellResult(c.OutOrStdout(), *f.out, resultOf(f.cfg.Partner, answer, report, err))
	failure, ok := errors.AsType[*gateway.Error](err)
	if ok && failure.Err != nil {
		// A Result leaves out the network's own error text; a person who calls by hand looks for it.
		cli.PrintError(c.ErrOrStderr(), failure)
	}
	if ok && failure.Code == gateway.CodeTimeout {
		return cli.Exit(cli.ExitNoAnswer)
	}
	return told
}

// refusal is what a worker would say to this question without a call.
func (f *callFlags) refusal() (messages.Result, bool) {
	data, err := messages.Query{V: messages.Version, Partner: f.cfg.Partner, UserEmail: f.email,
		AccountNo: f.account}.Encode(messages.JSON)
	if err == nil {
		_, _, err = messages.DecodeQuery(data, string(messages.JSON))
	}
	refused, ok := errors.AsType[*messages.Error](err)
	if !ok {
		return messages.Result{}, false
	}
	return refused.Result(), true
}

// resultOf makes a Result of the outcome of one call, the same as a worker does.
func resultOf(partner string, a gateway.Answer, report gateway.Report, err error) messages.Result {
	r := worker.ResultOf(a, err)
	r.Partner, r.Source, r.AnsweredAtMs = partner, messages.Asked, time.Now().UnixMilli()
	if !report.At.IsZero() {
		r.AskedAtMs, r.Attempts = report.At.UnixMilli(), 1
	}
	return r
}

// tellReport shows how the call went. The signing key is not in the report; a mark shows where MD5
// appends it.
func tellReport(w io.Writer, cfg *settings.Config, r gateway.Report) {
	if r.StringToSign != "" {
		mark := ""
		if cfg.SignTypeOf(cfg.Partner) == string(mapi.MD5) {
			mark = "[key]"
		}
		fmt.Fprintf(w, "string_to_sign  %s%s\n", cli.Printable(r.StringToSign), mark)
	}
	if r.At.IsZero() {
		return
	}
	connection := "new connection"
	if r.Reused {
		connection = "connection used again"
	}
	if r.Remote != "" {
		connection += " to " + r.Remote
	}
	fmt.Fprintf(w, "asked           %s, %s\n", cfg.GatewayURL, connection)
	fmt.Fprintf(w, "phases          dns %s, connect %s, tls %s, quiet %s, first byte %s, body %s, total %s\n",
		phase(r.DNS), phase(r.Connect), phase(r.TLS), phase(r.Quiet), phase(r.FirstByte), phase(r.Body), phase(r.Total))
	if r.HTTPStatus != 0 {
		kind := cmp.Or(messages.MaskText(r.ContentType), "no content type")
		fmt.Fprintf(w, "answer          HTTP %d, %d bytes, %s\n", r.HTTPStatus, r.Bytes, kind)
	}
	if r.Excerpt != "" {
		fmt.Fprintf(w, "body            %s\n", shownBody(r.Excerpt))
	}
}

// phase writes a time, and - for a phase that did not happen.
func phase(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return d.Round(10 * time.Microsecond).String()
}
