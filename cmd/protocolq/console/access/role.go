// Roles, and what each may do.

// Package access says who may do what on the page: the file of users, their passwords and roles,
// sessions in signed cookies, and how often somebody may try to sign in or look up.
package access

import "slices"

// Right is one thing that may be done.
type Right string

// The rights.
const (
	Anyone Right = ""       // no session needed: the sign-in page
	Ask    Right = "ask"    // look up an agreement, which may cost a call of the gateway
	See    Right = "see"    // the fleet, queries, dead letters: personal fields masked
	Act    Right = "act"    // redrive, discard, pause, halt
	Reveal Right = "reveal" // a personal field unmasked, with a reason and an audit row
)

// Role is what a user is.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"   // sees everything, masked, and changes nothing
	Agent    Role = "agent"    // looks up, for the partners of the user, so many times a minute
	Operator Role = "operator" // all of it
)

var rights = map[Role][]Right{
	Viewer:   {See},
	Agent:    {Ask},
	Operator: {Ask, See, Act, Reveal},
}

// Roles are all, the least first.
func Roles() []Role { return []Role{Viewer, Agent, Operator} }

// May tells whether the role has the right.
func (r Role) May(right Right) bool {
	return right == Anyone || slices.Contains(rights[r], right)
}

// Known tells whether it is one of the roles.
func (r Role) Known() bool { return len(rights[r]) > 0 }
