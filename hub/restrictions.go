package hub

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"parley"
	"parley/markup"
)

// systemMessages says whether the hub may send its own texts to the customer.
func systemMessages(c *parley.Channel) bool {
	return c.Restrictions == nil || c.Restrictions.Outbound == nil || c.Restrictions.Outbound.SystemMessages
}

// carries says whether the channel allows a feature to messages of that sender.
func (r *routing) carries(sender parley.Role, f parley.Feature) bool {
	one := r.plan.channel.Restriction(sender)
	return one.Features == nil || slices.Contains(one.Features, f)
}

// checkChannel refuses what the channel cannot carry. The offender's side gets the matching hub text, once the
// conversation exists.
func (r *routing) checkChannel() error {
	d := &r.in.draft
	one := r.plan.channel.Restriction(d.Sender)
	if c := d.Body.Content; c != nil && one.MaxTextLength > 0 {
		text, field := c.Text, "content.text"
		if text == "" { // the text that will be made of it is what the channel shows
			text, field = markup.Text(c.HTML), "content.html"
		}
		if n := utf8.RuneCountInString(text); n > one.MaxTextLength {
			return &parley.Error{Kind: parley.Invalid, Reason: parley.TextTooLong, Field: field,
				Msg: fmt.Sprintf("the channel allows %d characters, this text has %d", one.MaxTextLength, n)}
		}
	}
	// Towards customers a channel without rich text gets the plain form; from customers it cannot have come that way.
	if c := d.Body.Content; c != nil && c.HTML != "" && d.Sender == parley.Customer && !r.carries(d.Sender, parley.FeatureRichText) {
		return r.refuse(parley.FeatureRefused, "content.html", "the channel does not carry rich text", parley.TextInvalidToAgent)
	}
	if suffix, rich := d.Type.Rich(); rich && !carriesRich(&r.plan.channel, suffix) {
		return r.refuse(parley.FeatureRefused, "type.value", "the channel does not carry "+string(d.Type), parley.TextInvalidToCustomer)
	}
	for i, a := range d.Body.Attachments {
		if err := r.checkAttachment(one, fmt.Sprintf("attachments.attachment[%d]", i), a); err != nil {
			return err
		}
	}
	return nil
}

// carriesRich says whether the channel shows rich messages of that type to customers. Without restrictions it shows all but
// authentication, which must be allowed.
func carriesRich(c *parley.Channel, suffix string) bool {
	if c.Restrictions == nil || c.Restrictions.Outbound == nil {
		return suffix != "authentication"
	}
	o := c.Restrictions.Outbound
	return (o.RichTypes == nil || slices.Contains(o.RichTypes, suffix)) && (suffix != "authentication" || o.MidChatAuth)
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
	if reason := one.RefusesFile(extension, a.Size); reason != parley.Unspecified {
		if reason == parley.AttachmentTooLarge {
			return r.refuse(reason, field, "the file is larger than the channel allows", parley.TextAttachmentTooLarge,
				strconv.FormatInt(one.Attachments.MaxSize, 10))
		}
		return r.refuse(reason, field, "the channel does not allow this file", parley.TextBlockedExtension, extension)
	}
	return nil
}

// refuse makes an error with a hub text for the sender's side.
func (r *routing) refuse(reason parley.Reason, field, why, text string, args ...string) error {
	e := &parley.Error{Kind: parley.Invalid, Reason: reason, Field: field, Msg: why}
	slot := r.senderSlot()
	if r.step.New || slot < 0 || !systemMessages(&r.plan.channel) {
		return e
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
