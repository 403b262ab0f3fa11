// Parameters from the command line: name=value behind a --, and the keys of sign and verify.
package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"protocolq/gateway/mapi"
)

// parseParams reads name=value arguments. A value may hold any =.
func parseParams(args []string) (mapi.Params, error) {
	var params mapi.Params
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return nil, usageError("argument %q: must be name=value", arg)
		}
		params = append(params, mapi.Param{Name: name, Value: value})
	}
	return params, nil
}

// signFlags are what sign and verify share.
type signFlags struct {
	signType, keyFile, charset string

	cfg   Config
	set   *settings // of cfg: strict-files alone
	flags *pflag.FlagSet
}

func (f *signFlags) add(c *cobra.Command, keyUsage, charsetDefault string) {
	fs := c.Flags()
	fs.StringVar(&f.signType, "sign-type", "", "MD5, RSA, RSA2 or DSA")
	fs.StringVar(&f.keyFile, "key-file", "", keyUsage)
	f.flags, f.set = fs, newSettings(f.cfg.table(), "strict-files")
	f.set.addFlags(fs)
	fs.StringVar(&f.charset, "charset", "", "charset of the signed bytes: utf-8, gbk or gb2312 (default: "+charsetDefault+")")
	must(c.RegisterFlagCompletionFunc("sign-type", cobra.FixedCompletions([]string{"MD5", "RSA", "RSA2", "DSA"}, cobra.ShellCompDirectiveNoFileComp)))
	must(c.RegisterFlagCompletionFunc("charset", cobra.FixedCompletions([]string{"utf-8", "gbk", "gb2312"}, cobra.ShellCompDirectiveNoFileComp)))
}

// parsed checks the flags that are not files.
func (f *signFlags) parsed(params mapi.Params) (mapi.SignType, charsetChoice, error) {
	if f.signType == "" {
		return "", charsetChoice{}, usageError("--sign-type is needed: MD5, RSA, RSA2 or DSA")
	}
	t, err := mapi.ParseSignType(f.signType)
	if err != nil {
		return "", charsetChoice{}, usageError("--sign-type: %w", err)
	}
	cs, err := f.charsetOf(params)
	return t, cs, err
}

// signingKey reads the signing key.
func (f *signFlags) signingKey(t mapi.SignType) (mapi.Key, error) {
	return readSignKey(f, "--key-file", f.keyFile, func(source *keySource) (mapi.Key, error) { return parseKey(source, t, mapi.ParseKey) })
}

// readSignKey reads the file of one flag, and says as every command does who else can read it.
func readSignKey[K any](f *signFlags, flag, path string, parse func(*keySource) (K, error)) (K, error) {
	var key K
	to := secretFile
	if flag == "--public-key-file" {
		to = publicFile
	}
	err := f.set.load(f.flags, func() (err error) {
		if key, err = parse(f.cfg.sources.get(path, to)); err != nil {
			return fmt.Errorf("%s: %w", flag, err)
		}
		return nil
	})
	return key, err
}
