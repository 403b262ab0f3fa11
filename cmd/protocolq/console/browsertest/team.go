// Readers with roles, and the responses they get.

package browsertest

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"protocolq/cmd/protocolq/console/access"
)

// Password is the password of every user in a Team.
const Password = "correct horse battery"

// Team is a file of users with one user of each role, named like the role.
func Team(t testing.TB) *access.Users {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.yaml")
	hash := access.HashPassword(Password)
	var team []access.User
	for _, role := range access.Roles() {
		team = append(team, access.User{Name: string(role), Role: role, Password: hash})
	}
	data, err := access.FormatUsers(team)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	users, err := access.OpenUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	return users
}

// Status is the status of the response to this reader's request for a path, with a form as its
// body.
func (tab *Tab) Status(method, path, form string) int {
	tab.t.Helper()
	return Eval[int](tab, `(() => {
		const r = new XMLHttpRequest();
		r.open(`+strconv.Quote(method)+`, `+strconv.Quote(path)+`, false);
		r.setRequestHeader("Content-Type", "application/x-www-form-urlencoded");
		r.send(`+strconv.Quote(form)+`);
		return r.status;
	})()`)
}
