// Parameters from the command line: name=value behind a --, and the keys of sign and verify.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

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
type signFlags struct{ signType, keyFile, charset string }

func (f *signFlags) add(c *cobra.Command, keyUsage, charsetDefault string) {
	fs := c.Flags()
	fs.StringVar(&f.signType, "sign-type", "", "MD5, RSA, RSA2 or DSA")
	fs.StringVar(&f.keyFile, "key-file", "", keyUsage)
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

// signingKey reads the key at path. Some services have MD5 keys that are not 32 letters and digits:
// those are taken too, with a warning, because most often it is the wrong file.
func signingKey(t mapi.SignType, path string, warn io.Writer) (mapi.Key, error) {
	key, err := loadKey(t, path, mapi.ParseKey)
	if err != nil && t == mapi.MD5 {
		odd, oddErr := loadKey(t, path, oddMD5Key)
		if oddErr == nil {
			fmt.Fprintf(warn, "protocolq: warning: %s is not the usual 32 letters and digits\n", printable(path))
			return odd, nil
		}
	}
	if err != nil {
		return key, usageError("--key-file: %w", err)
	}
	return key, nil
}

func oddMD5Key(_ mapi.SignType, material []byte) (mapi.Key, error) {
	secret := string(bytes.TrimRight(material, "\r\n"))
	if secret == "" {
		return mapi.Key{}, errors.New("is empty")
	}
	return mapi.NewMD5Key(secret)
}
