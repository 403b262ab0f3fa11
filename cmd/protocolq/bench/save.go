// Where protocolq bench saves a result: checked before the load, and never written in part.

package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"protocolq/cmd/protocolq/bench/load"
	"protocolq/cmd/protocolq/cli"
)

// checkSave reports before a load of hours what would lose its result at the end.
func checkSave(path string) error {
	if path == "" {
		return errors.New("must name a file")
	}
	if at, err := os.Stat(path); err == nil && !at.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	w, err := besideSave(path)
	if err != nil {
		return err
	}
	return errors.Join(w.Close(), os.Remove(w.Name()))
}

// besideSave makes a file in the folder of path, so that a rename is one step.
func besideSave(path string) (*os.File, error) {
	w, err := os.CreateTemp(filepath.Dir(path), ".bench-*.part")
	if err != nil {
		return nil, fmt.Errorf("make a file next to it: %w", err)
	}
	return w, nil
}

// saveResult replaces the file at path, or leaves it as it was.
func saveResult(path string, r *load.Result) (err error) {
	if to, err := filepath.EvalSymlinks(path); err == nil {
		path = to // a link stays a link
	}
	w, err := besideSave(path)
	if err != nil {
		return err
	}
	err = errors.Join(cli.PrintJSON(w, r), w.Chmod(0o644), w.Close())
	if err == nil {
		err = os.Rename(w.Name(), path)
	}
	if err != nil {
		_ = os.Remove(w.Name())
		return fmt.Errorf("save result: %w", err)
	}
	return nil
}
