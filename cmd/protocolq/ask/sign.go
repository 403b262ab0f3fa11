// protocolq sign: signs exactly the given parameters, of any service, and shows what was signed.

package ask

import (
	"encoding/hex"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/gateway/mapi"
)

// signedText is what sign prints.
type signedText struct {
	StringToSign    string `json:"string_to_sign"`
	StringToSignHex string `json:"string_to_sign_hex"` // the bytes in the charset, without an MD5 key
	Sign            string `json:"sign"`
	Body            string `json:"body"`
}

// Sign signs parameters and shows what was signed.
func Sign() *cobra.Command {
	f := &signFlags{}
	c := &cobra.Command{
		Use:   "sign --sign-type T --key-file F -- name=value…",
		Short: "Sign parameters and show what was signed",
		Long: `Signs exactly the given parameters, of any service, and prints the text that was signed, the
signature and the form body to send. Values are taken as the shell gives them, in UTF-8, and signed
in the charset. Compare them with what another program signs to find the cause of an ILLEGAL_SIGN. A
value that looks like a mistake, such as one that is already encoded, is signed as it is, with a warning.`,
		Example: `  protocolq sign --sign-type MD5 --key-file keys/2088000000000001.key -- \
    service=query_customer_protocol partner=2088000000000001 _input_charset=utf-8 \
    biz_type=10004 user_email=signed@example.com`,
	}
	f.add(c, "the signing key: for MD5 its 32 letters and digits, else PEM, DER or base64",
		"the parameter _input_charset, else utf-8")
	out := cli.AddOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		made, err := signArgs(f, args, c.ErrOrStderr())
		if err != nil {
			return err
		}
		if *out == cli.JSON {
			return cli.PrintJSON(c.OutOrStdout(), made)
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "string_to_sign  %s\nsign            %s\nbody            %s\n",
			cli.Printable(made.StringToSign), made.Sign, made.Body)
		return err
	}
	return c
}

func signArgs(f *signFlags, args []string, warn io.Writer) (signedText, error) {
	params, err := parseParams(args)
	if err != nil {
		return signedText{}, err
	}
	if len(params) == 0 {
		return signedText{}, cli.Usage("nothing to sign: give name=value after --")
	}
	t, cs, err := f.parsed(params)
	if err != nil {
		return signedText{}, err
	}
	if f.keyFile == "" {
		return signedText{}, cli.Usage("--key-file is needed")
	}
	key, err := f.signingKey(t)
	if err != nil {
		return signedText{}, err
	}
	made, err := signParams(params, key, cs.Charset)
	if err != nil {
		return signedText{}, &cli.Error{Code: cli.ExitUsage, Err: err, Hint: bytesHint(params)}
	}
	for _, slip := range slips(params, t, cs) {
		fmt.Fprintf(warn, "protocolq: warning: %s\n", cli.Printable(slip))
	}
	return made, nil
}

func signParams(params mapi.Params, key mapi.Key, cs mapi.Charset) (signedText, error) {
	signed, err := key.Signed(params, cs) // its error names the parameter, so it comes first
	if err != nil {
		return signedText{}, err
	}
	text, err := params.StringToSign()
	if err != nil {
		return signedText{}, err
	}
	raw, err := cs.Encode(text)
	if err != nil {
		return signedText{}, err
	}
	body, err := signed.Body(cs)
	if err != nil {
		return signedText{}, err
	}
	return signedText{text, hex.EncodeToString(raw), signed.Get(mapi.ParamSign), body}, nil
}
