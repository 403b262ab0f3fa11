// Systems without Unix modes, such as Windows: this program does not check their access lists.

//go:build !unix

package keyfile

const (
	openWithoutWaiting = 0
	modesCount         = false
)

func wakeReader(string) {}
