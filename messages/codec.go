// Bytes to messages and back.

package messages

import (
	"encoding/json"

	"github.com/vmihailenco/msgpack/v5"
)

// MaxMessage is the size in bytes above which a message is refused.
const MaxMessage = 64 << 10

func DecodeQuery(data []byte, contentType string) (Query, Encoding, error) {
	var q Query
	e, err := decode(data, contentType, &q)
	return q, e, err
}

func DecodeResult(data []byte, contentType string) (Result, Encoding, error) {
	var r Result
	e, err := decode(data, contentType, &r)
	return r, e, err
}

func decode(data []byte, contentType string, into any) (Encoding, error) {
	e, ok := ParseEncoding(contentType)
	if !ok {
		e, _ = Sniff(data)
	}
	var err error
	if e == MsgPack {
		err = msgpack.Unmarshal(data, into)
	} else {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return e, &Error{Code: BadRequest, Reason: err.Error()}
	}
	return e, nil
}

func encode(e Encoding, from any) ([]byte, error) {
	if e == MsgPack {
		return msgpack.Marshal(from)
	}
	return json.Marshal(from)
}

func (q Query) Encode(e Encoding) ([]byte, error) { return encode(e, &q) }

func (r Result) Encode(e Encoding) ([]byte, error) { return encode(e, &r) }
