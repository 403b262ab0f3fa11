// protocolq verify: checks a parameter list with its signature, or a whole XML answer.

package ask

import (
	"cmp"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/gateway/mapi"
)

// verdict is what verify prints.
type verdict struct {
	Verification mapi.Verification `json:"verification"`
	Reason       string            `json:"reason,omitempty"`         // why it is bad
	Hint         string            `json:"hint,omitempty"`           // the likely mistake
	Charset      string            `json:"charset,omitempty"`        // of the signed bytes, where it matters
	CharsetFrom  string            `json:"charset_from,omitempty"`   // who chose it
	StringToSign string            `json:"string_to_sign,omitempty"` // what the sign has to cover
}

type verifyFlags struct {
	signFlags
	publicKeyFile string
	xml           string
}

// Verify checks the signature of parameters or of an answer.
func Verify() *cobra.Command {
	f := &verifyFlags{}
	c := &cobra.Command{
		Use:   "verify --sign-type T (--key-file F | --public-key-file F) (-- name=value… | --xml FILE)",
		Short: "Check the signature of parameters or of an answer",
		Long: `Checks a parameter list with its signature, or a whole XML answer. Prints verified, unsigned or bad,
and the text that the signature has to cover. The charset of the signed bytes is --charset; otherwise
the list's _input_charset, or the _input_charset that an answer repeats from the request, then the
answer's own encoding, then utf-8. For a bad signature it tries the usual mistakes, and names one with
which it would verify. Exit 0 verified, 3 unsigned, 4 bad, 1 an answer that cannot be read.`,
		Example: `  protocolq verify --sign-type RSA --public-key-file alipay.pem --xml answer.xml
  curl … | protocolq verify --sign-type MD5 --key-file my.key --xml -`,
	}
	f.add(c, "the signing key, to check signatures made with it", "what the parameters or the answer say, else utf-8")
	c.Flags().StringVar(&f.publicKeyFile, "public-key-file", "",
		"the gateway's public key: PEM, DER, certificate or base64 (not for MD5)")
	c.Flags().StringVar(&f.xml, "xml", "", "the answer's file, - for standard input")
	out := cli.AddOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		v, err := f.verify(c, args)
		if err != nil {
			return err
		}
		if err := v.print(c.OutOrStdout(), *out); err != nil {
			return err
		}
		switch v.Verification {
		case mapi.Verified:
			return nil
		case mapi.Unsigned:
			return cli.Exit(cli.ExitNotSigned)
		}
		return cli.Exit(cli.ExitRefused)
	}
	return c
}

func (f *verifyFlags) verify(c *cobra.Command, args []string) (verdict, error) {
	params, err := parseParams(args)
	if err != nil {
		return verdict{}, err
	}
	if (len(params) == 0) == (f.xml == "") {
		return verdict{}, cli.Usage("give either name=value after -- or --xml")
	}
	t, cs, err := f.parsed(params)
	if err != nil {
		return verdict{}, err
	}
	v, err := f.verifier(t)
	if err != nil {
		return verdict{}, err
	}
	if f.xml == "" {
		return verifyParams(params, v, cs), nil
	}
	return f.verifyXML(c.InOrStdin(), v, cs)
}

func (f *verifyFlags) verifier(t mapi.SignType) (mapi.Verifier, error) {
	switch {
	case f.publicKeyFile != "" && f.keyFile != "":
		return mapi.Verifier{}, cli.Usage("give either --key-file or --public-key-file")
	case f.publicKeyFile != "" && t == mapi.MD5:
		return mapi.Verifier{}, cli.Usage("--public-key-file: MD5 has no public key, use --key-file")
	case f.publicKeyFile != "":
		return readSignKey(&f.signFlags, "--public-key-file", f.publicKeyFile,
			func(source *settings.KeySource) (mapi.Verifier, error) {
				return settings.ParseKey(source, t, mapi.ParseVerifier)
			})
	case f.keyFile != "":
		key, err := f.signingKey(t)
		return key.Verifier(), err
	}
	return mapi.Verifier{}, cli.Usage("--key-file or --public-key-file is needed")
}

// verifyParams checks a list. Its sign_type counts if it has one: a signature of another type is
// bad, and the verdict says so.
func verifyParams(params mapi.Params, v mapi.Verifier, cs charsetChoice) verdict {
	text, err := params.StringToSign()
	if err != nil {
		return verdict{Verification: mapi.Bad, Reason: err.Error()}
	}
	sign := params.Get(mapi.ParamSign)
	if sign == "" {
		return verdict{Verification: mapi.Unsigned, Hint: signWithin(params), StringToSign: text}
	}
	if said := params.Get(mapi.ParamSignType); said != "" && said != string(v.SignType()) {
		err = fmt.Errorf("sign_type is %s, not %s", said, v.SignType())
	} else {
		err = v.Verify(params, cs.Charset, sign)
	}
	made := judged(err, text, cs)
	if made.Hint = contradicts(params, cs); err != nil {
		made.Hint = cmp.Or(mapi.Diagnose(params, v, cs.Charset, sign), bytesHint(params), made.Hint)
	}
	return made
}

// judged is the verdict about a given signature.
func judged(err error, text string, cs charsetChoice) verdict {
	made := verdict{Verification: mapi.Verified, StringToSign: text}
	if err != nil {
		made.Verification, made.Reason = mapi.Bad, err.Error()
	}
	if cs.matters(text) {
		made.Charset, made.CharsetFrom = cs.String(), cs.from
	}
	return made
}

func (f *verifyFlags) verifyXML(stdin io.Reader, v mapi.Verifier, cs charsetChoice) (verdict, error) {
	body, err := readAnswer(f.xml, stdin)
	if err != nil {
		return verdict{}, fmt.Errorf("read answer: %w", err)
	}
	answer, err := mapi.ParseAnswer(body)
	if err != nil {
		return verdict{}, err // it says "read answer"
	}
	text, err := answer.Signed().StringToSign()
	if err != nil {
		return verdict{Verification: mapi.Bad, Reason: err.Error()}, nil
	}
	if cs.from != fromFlag {
		cs = charsetOfAnswer(answer)
	}
	found, err := answer.Verify(v, cs.Charset)
	if found == mapi.Unsigned {
		return verdict{Verification: mapi.Unsigned, StringToSign: text}, nil
	}
	made := judged(err, text, cs)
	if err != nil {
		made.Hint = answer.Diagnose(v, cs.Charset)
	}
	return made, nil
}

func readAnswer(path string, stdin io.Reader) ([]byte, error) {
	if path != "-" {
		return cli.ReadBounded(path, mapi.MaxAnswer)
	}
	const name = "standard input"
	return cli.UntilStopped(name, func() ([]byte, error) { return cli.ReadAllBounded(stdin, name, mapi.MaxAnswer) })
}

func (v verdict) print(w io.Writer, out cli.Output) error {
	if out == cli.JSON {
		return cli.PrintJSON(w, v)
	}
	line := string(v.Verification)
	if v.Reason != "" {
		line += ": " + cli.Printable(v.Reason)
	}
	if v.Hint != "" {
		line += "\nhint            " + cli.Printable(v.Hint)
	}
	if v.Charset != "" {
		line += fmt.Sprintf("\ncharset         %s (%s)", v.Charset, v.CharsetFrom)
	}
	_, err := fmt.Fprintf(w, "%s\nstring_to_sign  %s\n", line, cli.Printable(v.StringToSign))
	return err
}
