package wire

import (
	"fmt"

	"parley"
)

// Limits of reference section 9.1. Lengths are in code points.
const (
	maxMessages    = 25
	maxPairs       = 25 // attributes, contacts, recipients
	maxAttachments = 10
	maxName        = 255
	maxValue       = 1023
	maxURL         = 2048
)

// An incoming is a draft with what must be known to say what is missing from it.
type incoming struct {
	parley.Draft
	path         string
	conversation bool // the object was there
}

// DecodeMessage reads one message object of a sender who is known by other means: a sender or conversation that is left
// out is no error, and Draft.Sender is then empty. path is where the object stands in the request and begins the Field
// of every error; "" is the request itself. raw is not kept.
func DecodeMessage(raw []byte, path string) (parley.Draft, error) {
	var m incoming
	err := read(raw, path, func(r *reader) { m = r.message() })
	if err != nil {
		return parley.Draft{}, err
	}
	return m.Draft, nil
}

// DecodeEnvelope reads the body of a send request: metadata and 1 to 25 messages of one conversation, each of which
// gets the metadata's attributes. Here sender and conversation are required, and whatever starts a conversation.
func DecodeEnvelope(raw []byte) ([]parley.Draft, error) {
	var metadata []parley.NameValue
	var all []incoming
	err := read(raw, "", func(r *reader) {
		found := r.object(func(name string) {
			switch name {
			case "metadata":
				r.object(func(name string) {
					if name == "attributes" {
						metadata = r.pairs()
					} else {
						r.skip()
					}
				})
			case "messages":
				all = r.messages()
			default:
				r.skip()
			}
		})
		if !found && r.syntax == nil && len(r.problems) == 0 {
			r.noteAt("body", parley.BadValue, "must be an object")
		} else if len(all) == 0 && len(r.problems) == 0 {
			r.missing("", "messages.message")
		}
		r.complete(all)
	})
	if err != nil {
		return nil, err
	}
	drafts := make([]parley.Draft, len(all))
	for i := range all {
		drafts[i] = all[i].Draft
		drafts[i].Body.Metadata = metadata
	}
	return drafts, nil
}

func (r *reader) messages() (all []incoming) {
	r.object(func(name string) {
		if name != "message" {
			r.skip()
			return
		}
		r.array(maxMessages, func() { all = append(all, r.message()) })
	})
	return all
}

// message reads one message object and checks what can be checked without knowing who speaks.
func (r *reader) message() incoming {
	m := incoming{}
	d := &m.Draft
	var content rawContent
	if !r.object(func(name string) {
		switch name {
		case "messageId":
			d.Body.MessageID = r.text(maxName)
		case "type":
			r.object(func(name string) {
				if name == "value" {
					d.Type = oneOf(r, messageTypes)
				} else {
					r.skip()
				}
			})
		case "content":
			content = r.content()
		case "conversation":
			m.conversation = r.conversation(d)
		case "sender":
			r.sender(d)
		case "recipients":
			r.recipients(d)
		case "attachments":
			r.object(func(name string) {
				if name == "attachment" {
					r.array(maxAttachments, func() { d.Body.Attachments = append(d.Body.Attachments, r.attachment()) })
				} else {
					r.skip()
				}
			})
		case "parent":
			r.object(func(name string) {
				if name == "messageId" {
					d.Body.Parent = r.text(maxName)
				} else {
					r.skip()
				}
			})
		case "attributes":
			r.object(func(name string) {
				if name == "attribute" {
					r.array(maxPairs, func() { d.Body.Attributes = append(d.Body.Attributes, r.attribute()) })
				} else {
					r.skip()
				}
			})
		default:
			r.skip()
		}
	}) {
		if r.syntax == nil && len(r.problems) == 0 {
			r.note(parley.BadValue, "must be an object")
		}
		return m
	}
	if r.syntax != nil {
		return m
	}
	m.path = r.path()
	if d.Type == "" {
		r.missing(m.path, "type.value")
		return m
	}
	r.payload(&m, content)
	return m
}

var (
	messageTypes = parley.MessageTypes()
	senderRoles  = parley.SenderRoles()
	// customerTypes are the vendor's "individual" and two that its data model implies (reference 9.1).
	customerTypes = []string{"individual", "group", "corporate"}
)

// require notes that a string member of the object that was read last is missing.
func (r *reader) require(member, value string) {
	if value == "" && r.syntax == nil {
		r.missing(r.path(), member)
	}
}

func (r *reader) sender(d *parley.Draft) {
	r.object(func(name string) {
		switch name {
		case "type":
			d.Sender = oneOf(r, senderRoles)
		case "participant":
			r.object(func(name string) {
				switch name {
				case "name":
					d.Body.Name = r.text(maxName)
				case "id":
					d.Body.Participant = readID[parley.Participant](r)
				default:
					r.skip()
				}
			})
		default:
			r.skip()
		}
	})
}

func (r *reader) recipients(d *parley.Draft) {
	r.object(func(name string) {
		if name != "recipient" {
			r.skip()
			return
		}
		r.array(maxPairs, func() {
			var role parley.Role
			if r.object(func(name string) {
				if name == "type" {
					role = oneOf(r, senderRoles)
				} else {
					r.skip()
				}
			}) {
				r.require("type", string(role))
			}
			d.Body.Recipients = append(d.Body.Recipients, role)
		})
	})
}

func (r *reader) attachment() (a parley.Attachment) {
	var id, name, url string
	if !r.object(func(member string) {
		switch member {
		case "id":
			if id = r.text(maxName); id == "" {
				return
			}
			var err error
			if a.Asset, err = parley.ParseID[parley.Asset](id); err != nil {
				r.note(parley.BadAsset, "there is no asset of that id") // any string is an id (reference 1.1), none but UUIDs are issued
			}
		case "url":
			url = r.webURL(maxURL)
		case "name":
			name = r.text(maxName)
		case "contentType":
			a.ContentType = r.text(maxName)
		case "size":
			a.Size = r.size()
		default:
			r.skip()
		}
	}) || r.syntax != nil {
		return a
	}
	a.Name = name
	switch path := r.path(); {
	case id != "": // the asset is the record; an address that came along is a copy of an old signed one
	case url == "" && !r.noted(join(path, "url")):
		r.missing(path, "id") // or url
	default:
		a.URL = url
		r.missingUnless(name != "", path, "name")
	}
	return a
}

func (r *reader) attribute() (a parley.Attribute) {
	if r.object(func(name string) {
		switch name {
		case "name":
			a.Name = r.text(maxName)
		case "value":
			a.Value = r.text(maxValue)
		case "external":
			a.External = r.boolean()
		default:
			r.skip()
		}
	}) {
		r.require("name", a.Name)
	}
	return a
}

func (r *reader) pairs() (all []parley.NameValue) {
	r.array(maxPairs, func() {
		var p parley.NameValue
		if r.object(func(name string) {
			switch name {
			case "name":
				p.Name = r.text(maxName)
			case "value":
				p.Value = r.text(maxValue)
			default:
				r.skip()
			}
		}) {
			r.require("name", p.Name)
		}
		all = append(all, p)
	})
	return all
}

// complete checks what a request, as opposed to a session, must say: who sends, and which conversation or how to start
// one. All messages belong to one conversation; if the first starts it, the others need not repeat how.
func (r *reader) complete(all []incoming) {
	if r.syntax != nil {
		return
	}
	for i := range all {
		m, first := &all[i], &all[0]
		if m.path == "" {
			continue // is no object, as was noted
		}
		need := func(member string, have bool) { r.missingUnless(have, m.path, member) }
		need("sender.type", m.Sender != "")
		announcement := m.Type == parley.TypeAgentAvailable || m.Type == parley.TypeAgentUnavailable
		switch {
		case !m.Conversation.IsZero() || announcement || r.noted(join(m.path, "conversation.id")):
		case !m.conversation:
			need("conversation", false)
		case m.Sender != parley.Customer:
			need("conversation.id", m.Sender == "") // only a customer may start one
		case i == 0:
			need("conversation.account.channel.type", m.ChannelType != "")
			need("conversation.account.address", m.Address != "")
			need("conversation.customer.contacts.contact", m.Customer != nil && len(m.Customer.Contacts) > 0)
		}
		if i > 0 && !sameConversation(&m.Draft, &first.Draft) {
			r.noteAt(join(m.path, "conversation"), parley.BadValue, "must be the conversation of the first message: one conversation per request")
		}
	}
}

func sameConversation(m, first *parley.Draft) bool {
	return m.Conversation == first.Conversation &&
		(m.ChannelType == "" || m.ChannelType == first.ChannelType) && (m.Address == "" || m.Address == first.Address)
}

// Path is where message i of an envelope stands, for errors that the hub finds in it.
func Path(i int) string { return fmt.Sprintf("messages.message[%d]", i) }
