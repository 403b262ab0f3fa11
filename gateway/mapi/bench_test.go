// The cost of one question in this package; a worker asks thousands a second.

package mapi_test

import (
	"testing"

	"protocolq/gateway/mapi"
)

func BenchmarkStringToSign(b *testing.B) {
	p := query()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.StringToSign(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	rsa, err := mapi.ParseKey(mapi.RSA, readKey(b, "rsa_pkcs1.pem"))
	if err != nil {
		b.Fatal(err)
	}
	for name, key := range map[string]mapi.Key{"MD5": md5Key(b), "RSA": rsa} {
		for _, cs := range []mapi.Charset{mapi.UTF8, mapi.GBK} {
			b.Run(name+"/"+cs.String(), func(b *testing.B) {
				p := query()
				b.ReportAllocs()
				for b.Loop() {
					if _, err := key.Sign(p, cs); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkBody(b *testing.B) {
	p, err := md5Key(b).Signed(query(), mapi.GBK)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Body(mapi.GBK); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAnswer(b *testing.B) {
	for name, xml := range map[string]string{"flat": flatAnswer, "wrapped": wrappedAnswer} {
		b.Run(name, func(b *testing.B) {
			body := []byte(xml)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := mapi.ParseAnswer(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
