package wire

import "parley"

// conversation reads which conversation a message belongs to, or how to start one; it says whether there was an object.
func (r *reader) conversation(d *parley.Draft) bool {
	return r.object(func(name string) {
		switch name {
		case "id":
			d.Conversation = readID[parley.Conversation](r)
		case "account":
			r.object(func(name string) {
				switch name {
				case "address":
					d.Address = r.text(maxName)
				case "channel":
					r.object(func(name string) {
						if name == "type" {
							d.ChannelType = r.text(maxName)
						} else {
							r.skip()
						}
					})
				default:
					r.skip()
				}
			})
		case "entryPoint":
			r.object(func(name string) {
				if name == "id" {
					d.EntryPoint = r.text(maxName)
				} else {
					r.skip()
				}
			})
		case "clientInfo":
			r.clientInfo(d)
		case "lookupContact":
			d.LookupContact = r.text(maxName)
		case "conversationContact":
			d.ConversationContact = r.text(maxName)
		case "language":
			d.Language = r.text(maxName)
		case "customer":
			r.customer(d)
		case "campaign": // ours: the published API has none
			r.campaign(d)
		default:
			r.skip()
		}
	})
}

// clientInfo keeps the whole object and checks the three members that are documented.
func (r *reader) clientInfo(d *parley.Draft) {
	v := r.raw()
	if v == nil || string(v) == `""` {
		return
	}
	path := r.path()
	var inner []problem
	_ = read(v, path, func(in *reader) {
		ok := in.object(func(name string) {
			switch name {
			case "timeOffset":
				if n := in.raw(); n != nil && !isInteger(n) {
					in.note(parley.BadValue, "must be a whole number of minutes from UTC")
				}
			case "referrerName":
				in.text(maxName)
			case "referrerUrl":
				in.text(maxURL)
			default:
				in.skip()
			}
		})
		if !ok && len(in.problems) == 0 {
			in.note(parley.BadValue, "must be an object")
		}
		inner = in.problems
	})
	if r.problems = append(r.problems, inner...); len(inner) == 0 {
		d.ClientInfo = []byte(v)
	}
}

// isInteger says whether a JSON number, or a string that holds one, has neither fraction nor exponent.
func isInteger(v []byte) bool {
	if len(v) > 2 && v[0] == '"' {
		v = v[1 : len(v)-1]
	}
	if len(v) > 1 && v[0] == '-' {
		v = v[1:]
	}
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(v) > 0 && len(v) < 16
}

func (r *reader) customer(d *parley.Draft) {
	c := parley.CustomerData{}
	found := r.object(func(name string) {
		switch name {
		case "name":
			c.Name = r.text(maxName)
		case "type":
			c.Type = oneOf(r, customerTypes)
		case "attributes":
			c.Attributes = r.pairs()
		case "contacts":
			r.object(func(name string) {
				if name == "contact" {
					r.array(maxPairs, func() { c.Contacts = append(c.Contacts, r.contact()) })
				} else {
					r.skip()
				}
			})
		default:
			r.skip()
		}
	})
	if found {
		d.Customer = &c
	}
}

// campaign reads where the customer came from. What is longer than is kept is cut by the hub: a link that somebody else made must not
// keep a customer out.
func (r *reader) campaign(d *parley.Draft) {
	g := &d.Campaign
	members := map[string]*string{"id": &g.ID, "source": &g.Source, "medium": &g.Medium, "name": &g.Name, "content": &g.Content, "term": &g.Term}
	r.object(func(name string) {
		if member := members[name]; member != nil {
			*member = r.text(maxURL)
		} else {
			r.skip()
		}
	})
}

func (r *reader) contact() (c parley.Contact) {
	if r.object(func(name string) {
		switch name {
		case "type":
			c.Type = r.text(maxName)
		case "subType":
			c.SubType = r.text(maxName)
		case "address":
			c.Address = r.text(maxName)
		default:
			r.skip()
		}
	}) {
		r.require("type", c.Type)
		r.require("address", c.Address)
	}
	return c
}
