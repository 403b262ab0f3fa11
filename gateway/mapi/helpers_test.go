// What several tests need: a key, and files.

package mapi_test

import (
	"os"
	"path/filepath"
	"testing"

	"protocolq/gateway/mapi"
)

const md5Secret = "0123456789abcdefghijklmnopqrstuv"

func md5Key(tb testing.TB) mapi.Key {
	tb.Helper()
	key, err := mapi.ParseKey(mapi.MD5, []byte(md5Secret))
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func readKey(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "keys", name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func query() mapi.Params {
	return mapi.Params{
		{"service", "query_customer_protocol"}, {"partner", "2088000000000000"}, {"_input_charset", "utf-8"},
		{"biz_type", "10004"}, {"user_email", "agent@example.com"}, {"memo", "机票代扣"},
	}
}
