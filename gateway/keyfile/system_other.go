// Systems without Unix's modes, such as Windows, whose access lists this program does not judge.

//go:build !unix

package keyfile

const (
	openWithoutWaiting = 0
	modesCount         = false
)

func wakeReader(string) {}
