// protocolq verify: checks a parameter list with its sign, or a whole XML answer.
package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"protocolq/gateway/mapi"
)

// verdict is what verify prints.
type verdict struct {
	Verification mapi.Verification `json:"verification"`
	Reason       string            `json:"reason,omitempty"`         // why it is bad
	StringToSign string            `json:"string_to_sign,omitempty"` // what the sign has to cover
}

type verifyFlags struct {
	signFlags
	publicKeyFile string
	xml           string
}

func newVerify() *cobra.Command {
	f := &verifyFlags{}
	c := &cobra.Command{
		Use:   "verify --sign-type T (--key-file F | --public-key-file F) (-- name=value… | --xml FILE)",
		Short: "Check the sign of parameters or of an answer",
		Long: `Checks a parameter list with its sign, or a whole XML answer. Prints verified, unsigned or bad, and
what the sign has to cover. Exit 0 verified, 3 unsigned, 4 bad, 1 an answer that cannot be read.`,
		Example: `  protocolq verify --sign-type RSA --public-key-file alipay.pem --xml answer.xml
  curl … | protocolq verify --sign-type MD5 --key-file my.key --xml -`,
	}
	f.add(c, "the signing key; it checks what it signs")
	c.Flags().StringVar(&f.publicKeyFile, "public-key-file", "", "the gateway's public key: PEM, certificate or bare base64 (not for MD5)")
	c.Flags().StringVar(&f.xml, "xml", "", "the answer's file, - for standard input")
	c.MarkFlagsMutuallyExclusive("key-file", "public-key-file")
	out := addOutput(c)
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
			return exitWith(exitNotSigned)
		}
		return exitWith(exitRefused)
	}
	return c
}

func (f *verifyFlags) verify(c *cobra.Command, args []string) (verdict, error) {
	params, err := parseParams(args)
	if err != nil {
		return verdict{}, err
	}
	if (len(params) == 0) == (f.xml == "") {
		return verdict{}, usageError("give either name=value after -- or --xml")
	}
	t, cs, err := f.parsed(params)
	if err != nil {
		return verdict{}, err
	}
	v, err := f.verifier(t, c.ErrOrStderr())
	if err != nil {
		return verdict{}, err
	}
	if f.xml == "" {
		return verifyParams(params, t, v, cs), nil
	}
	return f.verifyXML(c.InOrStdin(), v, cs)
}

func (f *verifyFlags) verifier(t mapi.SignType, warn io.Writer) (mapi.Verifier, error) {
	switch {
	case f.publicKeyFile != "" && t == mapi.MD5:
		return mapi.Verifier{}, usageError("--public-key-file: MD5 has no public key, use --key-file")
	case f.publicKeyFile != "":
		v, err := loadKey(t, f.publicKeyFile, mapi.ParseVerifier)
		if err != nil {
			return v, usageError("--public-key-file: %w", err)
		}
		return v, nil
	case f.keyFile != "":
		key, err := signingKey(t, f.keyFile, warn)
		return key.Verifier(), err
	}
	return mapi.Verifier{}, usageError("--key-file or --public-key-file is needed")
}

// verifyParams checks a list. Its sign_type counts, where it has one: a sign that was made by
// another way is bad, and says so.
func verifyParams(params mapi.Params, t mapi.SignType, v mapi.Verifier, cs mapi.Charset) verdict {
	text, err := params.StringToSign()
	if err != nil {
		return verdict{Verification: mapi.Bad, Reason: err.Error()}
	}
	sign := params.Get(mapi.ParamSign)
	if sign == "" {
		return verdict{Verification: mapi.Unsigned, StringToSign: text}
	}
	if said := params.Get(mapi.ParamSignType); said != "" && said != string(t) {
		return verdict{mapi.Bad, fmt.Sprintf("sign_type is %s, not %s", said, t), text}
	}
	if err := v.Verify(params, cs, sign); err != nil {
		return verdict{mapi.Bad, err.Error(), text}
	}
	return verdict{Verification: mapi.Verified, StringToSign: text}
}

func (f *verifyFlags) verifyXML(stdin io.Reader, v mapi.Verifier, cs mapi.Charset) (verdict, error) {
	body, err := readAnswer(f.xml, stdin)
	if err != nil {
		return verdict{}, fmt.Errorf("read answer: %w", err)
	}
	answer, err := mapi.ParseAnswer(body)
	if err != nil {
		return verdict{}, fmt.Errorf("read answer: %w", err)
	}
	text, err := answer.Signed().StringToSign()
	if err != nil {
		return verdict{Verification: mapi.Bad, Reason: err.Error()}, nil
	}
	found, err := answer.Verify(v, cs)
	made := verdict{Verification: found, StringToSign: text}
	if err != nil {
		made.Reason = err.Error()
	}
	return made, nil
}

func readAnswer(path string, stdin io.Reader) ([]byte, error) {
	if path != "-" {
		return readBounded(path, mapi.MaxAnswer)
	}
	return readAllBounded(stdin, "standard input", mapi.MaxAnswer)
}

func (v verdict) print(w io.Writer, out output) error {
	if out == asJSON {
		return printJSON(w, v)
	}
	line := string(v.Verification)
	if v.Reason != "" {
		line += ": " + v.Reason
	}
	_, err := fmt.Fprintf(w, "%s\nstring_to_sign  %s\n", printable(line), printable(v.StringToSign))
	return err
}
