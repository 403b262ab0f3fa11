// Package settings is the program's settings: one Config, and one table in which each setting is
// one field, one flag, one variable and one key of the settings file. A command names the settings
// that it needs:
//
//	cfg := &settings.Config{}
//	set := settings.New(cfg, "nats", "nats-creds", "inbox-prefix", "prefix")
//	set.AddFlags(c.Flags())
//	…
//	err := set.Load(c.Flags()) // flag over variable over file over default; every fault at once
//
// Secrets are named by the path of a file, which is read here, once.
package settings
