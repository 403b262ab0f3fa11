// The context of a running dev: a file among the user's own contexts, there while the dev runs. The
// dev holds a lock on it, which ends with the process in any case: a file without the lock was left
// by a dev that was killed.

package settings

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"protocolq/cmd/protocolq/cli"
)

// devContext is the name of the context, and devMark what its file begins with; a context of that
// name without the mark is the user's own.
const (
	devContext = "dev"
	devMark    = "# protocolq dev, "
)

// devState is what is known about the dev whose context was found.
type devState struct {
	running bool
	here    bool   // on this machine: several machines may share a home, and 127.0.0.1 differs on each
	who     string // "pid 4711 on laptop, since 2026-11-29T10:36:46Z"
}

// lookForDev finds the context of a dev; nil if there is none, or if it is the user's own.
func lookForDev() (*devState, error) {
	path, err := ContextPath(devContext)
	if err != nil {
		return nil, nil //nolint:nilerr // a user without a home has no contexts
	}
	f, err := os.Open(path)
	if homeless(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	line, _ := bufio.NewReaderSize(f, len(devMark)+maxDevWho).ReadSlice('\n') // a file without a line is the user's
	who, marked := strings.CutPrefix(string(line), devMark)
	if !marked {
		return nil, nil
	}
	_, rest, _ := strings.Cut(who, " on ")
	host, _, _ := strings.Cut(rest, ", since ")
	here, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	held, err := cli.Locked(f)
	return &devState{running: held, here: host == here, who: strings.TrimSpace(who)}, err
}

// maxDevWho bounds how much of the first line is read.
const maxDevWho = 512

// checkDevRuns gives an error if the context of that name belongs to a dev that does not run here.
func checkDevRuns(name string) error {
	if name != devContext {
		return nil
	}
	dev, err := lookForDev()
	switch {
	case err != nil || dev == nil:
		return err
	case !dev.here:
		return fmt.Errorf("it belongs to a protocolq dev on another machine (%s)", cli.Printable(dev.who))
	case !dev.running:
		return errors.New(dev.left())
	}
	return nil
}

func (d *devState) left() string {
	return fmt.Sprintf("it was left by a protocolq dev that runs no more (%s): "+
		"'protocolq context remove %s' removes it", cli.Printable(d.who), devContext)
}

// FindDev lets Load use the context of a running dev if nothing says which system is meant, and say
// so on c's standard error. It is for commands that a person types, never for programs that serve.
// With --yes no person is assumed.
func (s *Set) FindDev(c *cobra.Command) {
	s.person = c
	f := c.Flags().Lookup("context")
	f.Usage = strings.TrimSuffix(f.Usage, ")") + ", else those of a running dev)"
}

// sayDev says once that a dev was found, or that one was there before.
func (s *Set) sayDev(g given, found chosen) {
	text := ""
	switch {
	case found.from == fromDev:
		text = fmt.Sprintf("using context %s, %s (%s)", devContext, fromDev, cli.Printable(g.dev.who))
	case found.left:
		text = fmt.Sprintf("context %s does not count: %s", devContext, g.dev.left())
	case found.unnamed:
		text = fmt.Sprintf("context %[1]s does not count, as --%[2]s is given: --context %[1]s says that it is meant",
			devContext, cli.YesFlag)
	}
	if text != "" && !s.saidDev {
		s.saidDev = true
		fmt.Fprintln(s.person.ErrOrStderr(), "protocolq: "+text)
	}
}

// DevContext is the context of the dev that is this process.
type DevContext struct {
	file *os.File
	made []string // directories that were made for it
}

// OpenDevContext writes the context by which commands find this process, until it is closed. It
// gives an error if the user has a context of that name, or if another dev runs.
func OpenDevContext(values [][2]string, now time.Time) (*DevContext, error) {
	if !cli.CanLock {
		return nil, errors.New("this system cannot tell whether a protocolq dev still runs")
	}
	path, err := ContextPath(devContext)
	if err != nil {
		return nil, err
	}
	dev, err := lookForDev()
	switch {
	case err != nil:
		return nil, err
	case dev != nil && (dev.running || !dev.here):
		return nil, fmt.Errorf("context %s belongs to another protocolq dev (%s)", devContext, cli.Printable(dev.who))
	}
	if _, err := os.Stat(path); err == nil && dev == nil {
		return nil, fmt.Errorf("there is a context %s that you made", devContext)
	}
	d := &DevContext{}
	if err := d.open(path, devText(values, now)); err != nil {
		return nil, errors.Join(fmt.Errorf("write context %s: %w", devContext, err), d.Close())
	}
	return d, nil
}

func devText(values [][2]string, now time.Time) []byte {
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, v := range values {
		root.Content = append(root.Content, plain((setting{name: v[0]}).key()), plain(v[1]))
	}
	text, err := yaml.Marshal(root)
	cli.Must(err) // it is plain text
	host, err := os.Hostname()
	cli.Must(err) // lookForDev has asked for it
	return fmt.Appendf(nil, "%spid %d on %s, since %s\n# It wrote this file and removes it at its end.\n%s", devMark,
		os.Getpid(), host, now.UTC().Format(time.RFC3339), text)
}

// open puts the file in place once it is whole and locked.
func (d *DevContext) open(path string, text []byte) (err error) {
	dir := filepath.Dir(path)
	for missing := dir; ; missing = filepath.Dir(missing) {
		if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		d.made = append(d.made, missing)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if d.file, err = os.CreateTemp(dir, ".part-*"); err != nil { // 0600
		return err
	}
	if err = cli.Lock(d.file); err == nil {
		_, err = d.file.Write(text)
	}
	if err == nil {
		err = os.Rename(d.file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(d.file.Name())
	}
	return err
}

// Close removes the context, if it is still this one, and the directories that were made for it, if
// nothing else is in them.
func (d *DevContext) Close() error {
	if d == nil {
		return nil
	}
	var err error
	if d.file != nil {
		err = d.remove()
		_ = d.file.Close()
	}
	for _, dir := range d.made {
		_ = os.Remove(dir)
	}
	return err
}

func (d *DevContext) remove() error {
	path, err := ContextPath(devContext)
	if err != nil {
		return err
	}
	mine, err := d.file.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(path)
	if homeless(err) || err == nil && !os.SameFile(mine, there) {
		return nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	return err
}
