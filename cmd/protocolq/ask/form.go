// protocolq form: the HTML form that asks the same question from a browser, as the appendix of the
// gateway's owner specifies it.

package ask

import (
	"fmt"
	"html"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/gateway"
)

// Form prints the question as a signed HTML form.
func Form() *cobra.Command {
	c := &cobra.Command{
		Use:   "form (--email E | --account A) --partner P --key-file F",
		Short: "Print the question as a signed HTML form",
		Long: `Prints an HTML page with a form that asks the gateway the question when it is submitted. The action is
the gateway's URL with _input_charset only; each parameter and the signature is a hidden field.
The page holds a valid signature and the account: treat it like the question itself.`,
		Example: `  protocolq form --partner 2088… --key-file my.key --email agent@example.com > ask.html`,
		Args:    cli.NoArgs,
	}
	d := addDirect(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := d.client(c, 0)
		if err != nil {
			return err
		}
		defer client.Close()
		request, err := client.Sign(d.ask(false))
		if err != nil {
			return cli.Usage("%w", err)
		}
		return printForm(c.OutOrStdout(), request)
	}
	return c
}

// printForm writes the page in ASCII: every other character is a reference, so that the bytes are
// right in any charset. The page's charset is the one a browser sends the fields in, and the one
// they are signed in. The button has no name, or it would be sent as an unsigned parameter.
func printForm(w io.Writer, r gateway.Request) error {
	cs := attribute(r.Charset.String())
	var b strings.Builder
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"%s\">\n<title>%s</title>\n</head>\n<body>\n", cs,
		gateway.Service)
	fmt.Fprintf(&b, "<form action=\"%s\" method=\"post\" accept-charset=\"%s\">\n", attribute(r.Action), cs)
	for _, p := range r.Params {
		fmt.Fprintf(&b, "<input name=\"%s\" type=\"hidden\" value=\"%s\"/>\n", attribute(p.Name), attribute(p.Value))
	}
	b.WriteString("<input type=\"submit\" value=\"Ask\"/>\n</form>\n</body>\n</html>\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write form: %w", err)
	}
	return nil
}

// attribute escapes a text for use between double quotes in a page of any charset.
func attribute(text string) string {
	var b strings.Builder
	for _, r := range html.EscapeString(text) {
		if r < ' ' || r > '~' {
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
