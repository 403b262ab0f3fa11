// Package fleet is the commands of those who run a fleet: worker, recorder, provision, and an
// operator's word on partners and on the intake.
package fleet
