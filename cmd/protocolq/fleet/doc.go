// Package fleet is the commands of those who run a fleet: worker, recorder, provision, and the
// operators' switches for partners and the intake.
package fleet
