// Parameters from the command line: name=value after a --, and the signing keys of sign and verify.

package ask

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/gateway/mapi"
)

// parseParams reads name=value arguments. A value may hold any =.
func parseParams(args []string) (mapi.Params, error) {
	var params mapi.Params
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return nil, cli.Usage("argument %q: must be name=value", arg)
		}
		params = append(params, mapi.Param{Name: name, Value: value})
	}
	return params, nil
}

// signFlags are what sign and verify share.
type signFlags struct {
	signType, keyFile, charset string

	cfg   settings.Config
	set   *settings.Set // of cfg: strict-files alone
	flags *pflag.FlagSet
}

func (f *signFlags) add(c *cobra.Command, keyUsage, charsetDefault string) {
	fs := c.Flags()
	fs.StringVar(&f.signType, "sign-type", "", "MD5, RSA, RSA2 or DSA")
	fs.StringVar(&f.keyFile, "key-file", "", keyUsage)
	f.flags, f.set = fs, settings.New(&f.cfg, "strict-files")
	f.set.AddFlags(fs)
	fs.StringVar(&f.charset, "charset", "",
		"charset of the signed bytes: utf-8, gbk or gb2312 (default: "+charsetDefault+")")
}

// parsed checks the flags that are not files.
func (f *signFlags) parsed(params mapi.Params) (mapi.SignType, charsetChoice, error) {
	if f.signType == "" {
		return "", charsetChoice{}, cli.Usage("--sign-type is needed: MD5, RSA, RSA2 or DSA")
	}
	t, err := mapi.ParseSignType(f.signType)
	if err != nil {
		return "", charsetChoice{}, cli.Usage("--sign-type: %w", err)
	}
	cs, err := f.charsetOf(params)
	return t, cs, err
}

// signingKey reads the signing key.
func (f *signFlags) signingKey(t mapi.SignType) (mapi.Key, error) {
	return readSignKey(f, "--key-file", f.keyFile,
		func(source *settings.KeySource) (mapi.Key, error) { return settings.ParseKey(source, t, mapi.ParseKey) })
}

// readSignKey reads the file of one flag, and like every command says who else can read it.
func readSignKey[K any](f *signFlags, flag, path string, parse func(*settings.KeySource) (K, error)) (K, error) {
	var key K
	read := f.cfg.SecretFile
	if flag == "--public-key-file" {
		read = f.cfg.PublicFile
	}
	err := f.set.Load(f.flags, func() (err error) {
		if key, err = parse(read(path)); err != nil {
			return fmt.Errorf("%s: %w", flag, err)
		}
		return nil
	})
	return key, err
}
