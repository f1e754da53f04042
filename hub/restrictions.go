package hub

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"parley"
)

// direction is what the channel says about messages from one side; the zero Restriction restricts nothing.
func direction(c *parley.Channel, sender parley.Role) (one parley.Restriction, outbound *parley.OutboundRestriction) {
	if c.Restrictions == nil {
		return parley.Restriction{}, nil
	}
	if sender == parley.Customer {
		if c.Restrictions.Inbound != nil {
			one = *c.Restrictions.Inbound
		}
		return one, nil
	}
	if c.Restrictions.Outbound != nil {
		return c.Restrictions.Outbound.Restriction, c.Restrictions.Outbound
	}
	return one, nil
}

// systemMessages says whether the hub may send its own texts to the customer.
func systemMessages(c *parley.Channel) bool {
	return c.Restrictions == nil || c.Restrictions.Outbound == nil || c.Restrictions.Outbound.SystemMessages
}

// carries says whether the channel allows a feature to messages of that sender.
func (r *routing) carries(sender parley.Role, f parley.Feature) bool {
	one, _ := direction(&r.plan.channel, sender)
	return one.Features == nil || slices.Contains(one.Features, f)
}

// checkChannel refuses what the channel cannot carry. The offender's side gets the matching hub text, once the
// conversation exists.
func (r *routing) checkChannel() error {
	d := &r.in.draft
	one, outbound := direction(&r.plan.channel, d.Sender)
	if c := d.Body.Content; c != nil && one.MaxTextLength > 0 {
		if n := utf8.RuneCountInString(c.Text); n > one.MaxTextLength {
			return &parley.Error{Kind: parley.Invalid, Reason: parley.TextTooLong, Field: "content.text",
				Msg: fmt.Sprintf("the channel allows %d characters, this text has %d", one.MaxTextLength, n)}
		}
	}
	if suffix, rich := d.Type.Rich(); rich && outbound != nil {
		listed := outbound.RichTypes == nil || slices.Contains(outbound.RichTypes, suffix)
		if suffix == "authentication" {
			listed = listed && outbound.MidChatAuth
		}
		if !listed {
			return r.refuse(parley.FeatureRefused, "type.value", "the channel does not carry "+string(d.Type), parley.TextInvalidToCustomer)
		}
	} else if rich && suffix == "authentication" {
		return r.refuse(parley.FeatureRefused, "type.value", "the channel does not allow midChatAuth", parley.TextInvalidToCustomer)
	}
	for i, a := range d.Body.Attachments {
		if err := r.checkAttachment(one, fmt.Sprintf("attachments.attachment[%d]", i), a); err != nil {
			return err
		}
	}
	return nil
}

func (r *routing) checkAttachment(one parley.Restriction, field string, a parley.Attachment) error {
	if !a.Asset.IsZero() {
		i := slices.IndexFunc(r.in.assets, func(known parley.Asset) bool { return known.ID == a.Asset })
		if i < 0 || !r.in.assets[i].Uploaded {
			return &parley.Error{Kind: parley.Invalid, Reason: parley.BadAsset, Field: field + ".id", Msg: "the asset is unknown or was not uploaded"}
		}
		a.Name, a.Size = r.in.assets[i].Name, r.in.assets[i].Size
	}
	extension := strings.ToLower(strings.TrimPrefix(path.Ext(a.Name), "."))
	if reason := Refused(one, extension, a.Size); reason != parley.Unspecified {
		if reason == parley.AttachmentTooLarge {
			return r.refuse(reason, field, "the file is larger than the channel allows", parley.TextAttachmentTooLarge,
				strconv.FormatInt(one.Attachments.MaxSize, 10))
		}
		return r.refuse(reason, field, "the channel does not allow this file", parley.TextBlockedExtension, extension)
	}
	return nil
}

// Refused says why a channel's restriction refuses a file, Unspecified if it does not. A size of 0 is not known.
func Refused(one parley.Restriction, extension string, size int64) parley.Reason {
	if one.Features != nil && !slices.Contains(one.Features, parley.FeatureAttachments) {
		return parley.AttachmentRefused
	}
	p := one.Attachments
	if p == nil {
		return parley.Unspecified
	}
	listed := slices.ContainsFunc(p.Extensions, func(e string) bool { return strings.EqualFold(strings.TrimPrefix(e, "."), extension) })
	switch {
	case !p.Enabled, p.Allow != listed:
		return parley.AttachmentRefused
	case p.MaxSize > 0 && size > p.MaxSize:
		return parley.AttachmentTooLarge
	}
	return parley.Unspecified
}

// refuse makes an error with a hub text for the sender's side.
func (r *routing) refuse(reason parley.Reason, field, why, text string, args ...string) error {
	e := &parley.Error{Kind: parley.Invalid, Reason: reason, Field: field, Msg: why}
	slot := r.senderSlot()
	if r.step.New || slot < 0 || !systemMessages(&r.plan.channel) {
		return e
	}
	if r.in.draft.Sender == parley.Customer && text == parley.TextInvalidToCustomer {
		text = parley.TextInvalidToAgent
	}
	return &refusal{err: e, notice: notice{text: text, args: args, slot: slot}}
}

// builtInTexts are used where a channel has none of its own.
var builtInTexts = map[string]string{
	parley.TextRetainAndRetry:     "All our agents are away just now. We keep your message and answer as soon as somebody is back.",
	parley.TextOffHours:           "Nobody can answer just now. Please come back during our opening hours.",
	parley.TextInvalidToCustomer:  "This kind of message cannot be shown on the customer's channel.",
	parley.TextInvalidToAgent:     "This kind of message is not supported here.",
	parley.TextMessageFailed:      "The last message could not be delivered to the customer.",
	parley.TextBlockedExtension:   "Files of type {0} cannot be sent here.",
	parley.TextAttachmentTooLarge: "The file is too large: at most {0} bytes are allowed.",
}

// hubText picks a hub text: conversation language, account's language, en-US, first entry, built in (reference section 5).
func hubText(p *plan, language, name string, args []string) string {
	chosen := builtInTexts[name]
	for _, want := range []string{language, p.account.DefaultLanguage, "en-US", ""} {
		if found, ok := localised(p.channel.Localisations, want, name); ok {
			chosen = found
			break
		}
	}
	for i, a := range args {
		chosen = strings.ReplaceAll(chosen, "{"+strconv.Itoa(i)+"}", a)
	}
	return chosen
}

// localised is the text of that name in a language; "" is any language.
func localised(all []parley.Localisation, language, name string) (string, bool) {
	for _, l := range all {
		if language != "" && !strings.EqualFold(l.Language, language) {
			continue
		}
		if value, ok := pair(l.Properties, name); ok {
			return value, true
		}
	}
	return "", false
}
