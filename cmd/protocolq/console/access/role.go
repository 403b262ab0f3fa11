// Roles, and what each role may do.

// Package access decides who may do what on the page: the file of users, their passwords and roles,
// sessions in signed cookies, and limits on how often to sign in or look up.
package access

import "slices"

// Right is permission to do one thing.
type Right string

// The rights.
const (
	Anyone Right = ""       // no session needed: the sign-in page
	Ask    Right = "ask"    // look up an agreement, which may cost a call of the gateway
	See    Right = "see"    // the fleet, queries, dead letters: personal fields masked
	Act    Right = "act"    // redrive, discard, pause, halt
	Reveal Right = "reveal" // a personal field unmasked, with a reason and an audit row
)

// Role is the role of a user.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"   // sees everything, masked, and changes nothing
	Agent    Role = "agent"    // looks up, for the user's own partners, a limited number of times a minute
	Operator Role = "operator" // may do everything
)

var rights = map[Role][]Right{
	Viewer:   {See},
	Agent:    {Ask},
	Operator: {Ask, See, Act, Reveal},
}

// Roles are all roles, the least powerful first.
func Roles() []Role { return []Role{Viewer, Agent, Operator} }

// May reports whether the role has the right.
func (r Role) May(right Right) bool {
	return right == Anyone || slices.Contains(rights[r], right)
}

// Known reports whether r is one of the roles.
func (r Role) Known() bool { return len(rights[r]) > 0 }
