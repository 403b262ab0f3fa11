// protocolq console user: writes the file of users.

package console

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/settings"
)

func userCommand() *cobra.Command {
	c := &cobra.Command{Use: "user", Short: "Write the file of the page's users", Args: cli.NoArgs}
	c.AddCommand(userAdd(), userRemove(), userSignOut(), userList())
	return c
}

// usersFile adds the file's flag, and returns its path once flags are parsed.
func usersFile(c *cobra.Command) func() (string, error) {
	cfg := &settings.Config{}
	set := settings.New(cfg, "console-users-file")
	set.AddFlags(c.Flags())
	return func() (string, error) {
		if err := set.Load(c.Flags()); err != nil {
			return "", err
		}
		if cfg.Console.UsersFile == "" {
			return "", cli.Usage("--console-users-file is needed")
		}
		return cfg.Console.UsersFile, nil
	}
}

type userFlags struct {
	role       string
	partners   []string
	perMinute  int
	noPassword bool
}

func userAdd() *cobra.Command {
	f := &userFlags{}
	c := &cobra.Command{
		Use:   "add NAME --role viewer|agent|operator",
		Short: "Add a user, or change one",
		Long: `Adds a user to the file, or replaces the one of that name. The password is asked for at the terminal,
or is the first line of standard input; it is kept as an argon2id hash. A running console applies the
change within a second, and ends the sessions of a user whose password was changed.

Roles: a viewer sees everything, masked, and changes nothing; an agent only looks up, for --partner and
at most --per-minute times; an operator may do everything.`,
		Example: `  protocolq console user add li --role agent --partner 2088000000000001 --console-users-file users.yaml
  protocolq console user add wang --role operator --no-password --console-users-file users.yaml`,
		Args: cobra.ExactArgs(1),
	}
	path := usersFile(c)
	c.Flags().StringVar(&f.role, "role", "", "viewer, agent or operator")
	c.Flags().StringSliceVar(&f.partners, "partner", nil,
		"an agent asks only for these partners, may be repeated (default: the workers' default)")
	c.Flags().IntVar(&f.perMinute, "per-minute", 0, fmt.Sprintf("look-ups a minute (default %d)", access.DefaultMinute))
	c.Flags().BoolVar(&f.noPassword, "no-password", false, "the organisation's sign-in or proxy says who this is")
	cli.Must(c.RegisterFlagCompletionFunc("role",
		cobra.FixedCompletions([]string{"viewer", "agent", "operator"}, cobra.ShellCompDirectiveNoFileComp)))
	c.RunE = func(c *cobra.Command, args []string) error {
		path, err := path()
		if err != nil {
			return err
		}
		user := access.User{Name: args[0], Role: access.Role(f.role), Partners: f.partners, Minute: f.perMinute}
		if err := user.Check(); err != nil {
			return &cli.Error{Code: cli.ExitUsage, Err: err}
		}
		if !f.noPassword {
			password, err := readPassword(c)
			if err != nil {
				return err
			}
			user.Password = access.HashPassword(password)
		}
		user.Added = time.Now().UTC().Truncate(time.Millisecond)
		return changeUsers(path, func(list []access.User) ([]access.User, error) {
			for _, had := range list {
				if had.Name == user.Name {
					user.Added, user.SessionsFrom = had.Added, had.SessionsFrom
				}
			}
			return append(without(list, user.Name), user), nil
		})
	}
	return c
}

func userRemove() *cobra.Command {
	c := &cobra.Command{Use: "remove NAME", Short: "Remove a user and their sessions", Args: cobra.ExactArgs(1)}
	path := usersFile(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		path, err := path()
		if err != nil {
			return err
		}
		return changeUsers(path, func(list []access.User) ([]access.User, error) {
			left := without(list, args[0])
			if len(left) == len(list) {
				return nil, cli.Usage("there is no user %q", args[0])
			}
			return left, nil
		})
	}
	return c
}

func userSignOut() *cobra.Command {
	c := &cobra.Command{
		Use:   "sign-out NAME",
		Short: "End all sessions of a user, in every console",
		Long: `Ends all sessions of a user, so that a copied cookie is useless. Every console that reads the file applies
this within a second, also one that is started later. The user can sign in again.`,
		Args: cobra.ExactArgs(1),
	}
	path := usersFile(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		path, err := path()
		if err != nil {
			return err
		}
		return changeUsers(path, func(list []access.User) ([]access.User, error) {
			for i := range list {
				if list[i].Name == args[0] {
					list[i].SessionsFrom = time.Now().UTC().Truncate(time.Second).Add(time.Second)
					return list, nil
				}
			}
			return nil, cli.Usage("there is no user %q", args[0])
		})
	}
	return c
}

func userList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the page's users", Args: cli.NoArgs}
	path := usersFile(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		path, err := path()
		if err != nil {
			return err
		}
		list, err := readUsers(path)
		if err != nil {
			return err
		}
		t := cli.NewTable(c.OutOrStdout(), "NAME", "ROLE", "SIGN-IN", "PER MINUTE", "PARTNERS")
		for _, u := range list {
			by := "password"
			if u.Password == "" {
				by = "organisation"
			}
			t.Row(u.Name, string(u.Role), by, fmt.Sprint(u.PerMinute()), strings.Join(u.Partners, " "))
		}
		return t.Flush()
	}
	return c
}

func without(list []access.User, name string) []access.User {
	return slices.DeleteFunc(slices.Clone(list), func(u access.User) bool { return u.Name == name })
}

// mostUsersFile bounds the file that is read.
const mostUsersFile = 4 << 20

// readUsers returns the users of a file; none if the file does not exist.
func readUsers(path string) ([]access.User, error) {
	data, err := cli.ReadBounded(path, mostUsersFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	list, err := access.ParseUsers(data)
	if err != nil {
		return nil, &cli.Error{Code: cli.ExitUsage, Err: fmt.Errorf("%s: %w", path, err)}
	}
	return list, nil
}

// changeUsers writes a new file beside the old one and then replaces the old one: a console that
// reads it meanwhile sees either the old or the new file.
func changeUsers(path string, change func([]access.User) ([]access.User, error)) error {
	list, err := readUsers(path)
	if err != nil {
		return err
	}
	if list, err = change(list); err != nil {
		return err
	}
	data, err := access.FormatUsers(list)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".users-*") // readable for its owner only
	if err != nil {
		return fmt.Errorf("write users: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write users: %w", err)
	}
	return nil
}

// readPassword asks at a terminal, twice and without echo. Without a terminal it reads the first
// line of standard input.
func readPassword(c *cobra.Command) (string, error) {
	in, isFile := c.InOrStdin().(*os.File)
	var password string
	if isFile && term.IsTerminal(int(in.Fd())) {
		first, err := unseen(c, in, "Password: ")
		if err != nil {
			return "", err
		}
		again, err := unseen(c, in, "Again: ")
		if err != nil {
			return "", err
		}
		if first != again {
			return "", cli.Usage("the two passwords differ")
		}
		password = first
	} else {
		line, err := bufio.NewReader(io.LimitReader(c.InOrStdin(), access.MostPassword+2)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		password = strings.TrimRight(line, "\r\n")
	}
	if n := utf8.RuneCountInString(password); n < access.LeastPassword || len(password) > access.MostPassword {
		return "", cli.Usage("the password must have at least %d characters and at most %d bytes", access.LeastPassword,
			access.MostPassword)
	}
	return password, nil
}

func unseen(c *cobra.Command, in *os.File, prompt string) (string, error) {
	fmt.Fprint(c.ErrOrStderr(), prompt)
	text, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(c.ErrOrStderr())
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return string(text), nil
}
