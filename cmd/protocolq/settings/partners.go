// Partners: the ids and keys that queries are signed with, from one set of flags or from a list in
// the file.

package settings

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/worker/partner"
)

// PartnerConfig is one partner in the settings. Its keys are files.
type PartnerConfig struct {
	ID            string
	SignType      string // default MD5
	Charset       string // default utf-8
	KeyFile       string
	PublicKeyFile string // the gateway's public key; "" when answers are not verified
	Rate          string // calls a second over the fleet; "": the setting rate
	Concurrency   string // calls in flight over the fleet; "": the setting concurrency
}

var partnerKeys = []string{"id", "sign_type", "charset", "key_file", "public_key_file", "rate", "concurrency"}

// parsePartners reads the list `partners` of the settings file.
func (c *Config) parsePartners(n *yaml.Node, where func(line int) string) error {
	if n.Kind != yaml.SequenceNode {
		return errors.New("must be a list, one partner each")
	}
	var faults []error
	c.Partners = nil
	for _, item := range n.Content {
		p, err := parsePartner(item, where)
		switch {
		case err != nil:
			faults = append(faults, err)
		case c.listed(p.ID):
			faults = append(faults, fmt.Errorf("%s: partner %s appears twice", where(item.Line), p.ID))
		default:
			c.Partners = append(c.Partners, p)
		}
	}
	return joined("; ", faults)
}

func parsePartner(n *yaml.Node, where func(line int) string) (PartnerConfig, error) {
	p := PartnerConfig{SignType: "MD5", Charset: "utf-8"}
	if n.Kind != yaml.MappingNode {
		return p, fmt.Errorf("%s: must be %s", where(n.Line), strings.Join(partnerKeys, ", "))
	}
	values, faults := mapping(n, partnerKeys, where)
	fields := map[string]*string{"id": &p.ID, "sign_type": &p.SignType, "charset": &p.Charset,
		"key_file": &p.KeyFile, "public_key_file": &p.PublicKeyFile, "rate": &p.Rate, "concurrency": &p.Concurrency}
	for _, key := range partnerKeys {
		if values[key] == nil {
			continue
		}
		text, err := nodeText(values[key], false)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %s: %w", where(values[key].Line), key, err))
		}
		*fields[key] = text
	}
	if err := CheckPartnerID(p.ID); err != nil {
		faults = append(faults, fmt.Errorf("%s: id %w", where(n.Line), err))
	}
	if p.KeyFile == "" {
		faults = append(faults, fmt.Errorf("%s: key_file is needed", where(n.Line)))
	}
	for key, text := range map[string]string{"rate": p.Rate, "concurrency": p.Concurrency} {
		if n, err := strconv.Atoi(text); text != "" && (err != nil || n < 0 || n > 100_000) {
			faults = append(faults,
				fmt.Errorf("%s: %s must be a whole number up to 100000, not %q", where(values[key].Line), key, text))
		}
	}
	return p, joined("; ", faults)
}

// Limits are the limits of each partner; what a partner's entry leaves out comes from the settings.
func (c *Config) Limits(partners []gateway.Partner) map[string]partner.Limits {
	list := map[string]partner.Limits{}
	for _, p := range partners {
		list[p.ID] = partner.Limits{Rate: c.Rate, Concurrency: c.Concurrency}
	}
	for _, p := range c.Partners {
		own := list[p.ID]
		if n, err := strconv.Atoi(p.Rate); err == nil {
			own.Rate = n
		}
		if n, err := strconv.Atoi(p.Concurrency); err == nil {
			own.Concurrency = n
		}
		list[p.ID] = own
	}
	return list
}

// joined makes one line of several faults, because they share one setting's name.
func joined(sep string, faults []error) error {
	if len(faults) == 0 {
		return nil
	}
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = f.Error()
	}
	return errors.New(strings.Join(lines, sep))
}

// LoadPartners reads every partner's keys, the default partner first. It reports all faults, with
// their settings.
func (c *Config) LoadPartners() ([]gateway.Partner, error) {
	var list []gateway.Partner
	var faults []error
	take := func(p PartnerConfig, keySetting, publicSetting string) {
		made, err := c.loadPartner(p, keySetting, publicSetting)
		list, faults = append(list, made), append(faults, err)
	}
	spelled := c.checkPartner() == nil && c.checkSignType() == nil && c.checkCharset() == nil // else reported already
	// a fault of the file itself can still be reported
	if c.KeyFile != "" && !spelled {
		if source := c.SecretFile(c.KeyFile); source.Err != nil {
			faults = append(faults, &Fault{Setting: "key-file", Err: source.fault()})
		}
	}
	if c.Partner != "" && c.KeyFile != "" && spelled {
		take(PartnerConfig{ID: c.Partner, SignType: c.SignType, Charset: c.Charset, KeyFile: c.KeyFile,
			PublicKeyFile: c.AlipayPublicKeyFile}, "key-file", "alipay-public-key-file")
	}
	for _, p := range c.Partners {
		if p.ID == c.Partner && c.KeyFile != "" {
			faults = append(faults,
				&Fault{Setting: "partners", Err: fmt.Errorf("partner %s is also given by partner and key-file", p.ID)})
			continue
		}
		take(p, "partners", "partners")
	}
	for i, p := range list {
		if p.ID == c.Partner {
			list[0], list[i] = list[i], list[0]
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return list, nil
}

// loadPartner reads the keys of one partner. The two names are the settings for faults. Only a
// regular file is read again later.
func (c *Config) loadPartner(p PartnerConfig, keySetting, publicSetting string) (gateway.Partner, error) {
	fault := func(setting string, err error) error {
		return &Fault{Setting: setting, Err: fmt.Errorf("partner %s: %w", p.ID, err)}
	}
	made := gateway.Partner{ID: p.ID}
	t, err := mapi.ParseSignType(p.SignType)
	if err != nil {
		return made, fault(keySetting, err)
	}
	var faults []error
	if made.Charset, err = mapi.ParseCharset(p.Charset); err != nil {
		faults = append(faults, fault(keySetting, err))
	}
	source := c.SecretFile(p.KeyFile)
	if made.Key, err = ParseKey(source, t, mapi.ParseKey); err != nil {
		faults = append(faults, fault(keySetting, err))
	}
	if source.Regular {
		made.KeyFile = p.KeyFile
	}
	switch {
	case p.PublicKeyFile == "":
	case t == mapi.MD5:
		faults = append(faults,
			fault(publicSetting, errors.New("MD5 has no public key: leave its file out, or correct the sign type")))
	default:
		if made.Verifier, err = ParseKey(c.PublicFile(p.PublicKeyFile), t, mapi.ParseVerifier); err != nil {
			faults = append(faults, fault(publicSetting, err))
		}
	}
	return made, errors.Join(faults...)
}

// CheckPartnerID says what is wrong with an id, and shows it: it is not secret, and usually one
// digit is missing.
func CheckPartnerID(id string) error {
	if err := mapi.CheckPartner(id); err != nil {
		return fmt.Errorf("%w, not %q", err, id)
	}
	return nil
}

// SignTypeOf is how the queries of a partner are signed.
func (c *Config) SignTypeOf(id string) string {
	for _, p := range c.Partners {
		if p.ID == id {
			return p.SignType
		}
	}
	return c.SignType
}
