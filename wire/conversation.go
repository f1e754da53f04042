package wire

import "parley"

// AppendConversation appends the conversation object of messages (reference 10), with the customer and clientInfo only
// where the reader may know them.
func AppendConversation(dst []byte, c *parley.Conversation, customer bool) []byte {
	dst = append(dst, '{')
	dst = AppendConversationMembers(dst, c, customer)
	return append(dst, '}')
}

// AppendConversationMembers is AppendConversation without the braces, for the read of a conversation, where these
// members stand at top level beside the messages (reference 11).
func AppendConversationMembers(dst []byte, c *parley.Conversation, customer bool) []byte {
	s := &c.State
	dst = append(dst, `"id":"`...)
	dst = append(dst, c.ID.String()...)
	dst = append(dst, `","account":{"address":`...)
	dst = Quote(dst, s.Address)
	dst = append(dst, `,"channel":{"type":`...)
	dst = Quote(dst, s.ChannelType)
	dst = append(dst, `}}`...)
	if s.EntryPoint != "" {
		dst = append(dst, `,"entryPoint":{"id":`...)
		dst = Quote(dst, s.EntryPoint)
		dst = append(dst, '}')
	}
	dst = appendMemberAfter(dst, "conversationContact", s.ConversationContact)
	dst = appendMemberAfter(dst, "lookupContact", s.LookupContact)
	dst = appendMemberAfter(dst, "language", s.Language)
	if !customer {
		return dst
	}
	if len(s.ClientInfo) > 0 {
		dst = append(dst, `,"clientInfo":`...)
		dst = append(dst, s.ClientInfo...)
	}
	dst = append(dst, `,"customer":`...)
	return appendCustomer(dst, &s.Customer)
}

func appendMemberAfter(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	return Quote(dst, value)
}

func appendCustomer(dst []byte, c *parley.CustomerData) []byte {
	dst = append(dst, '{')
	mark := len(dst)
	dst = appendMember(dst, "name", c.Name)
	kind := c.Type
	if kind == "" {
		kind = customerTypes[0]
	}
	dst = appendMember(dst, "type", kind)
	if len(c.Attributes) > 0 {
		dst = append(dst, `"attributes":`...)
		dst = appendPairs(dst, c.Attributes)
		dst = append(dst, ',')
	}
	for i, contact := range c.Contacts {
		if i == 0 {
			dst = append(dst, `"contacts":{"contact":[{`...)
		} else {
			dst = append(dst, `,{`...)
		}
		inner := len(dst)
		dst = appendMember(dst, "type", contact.Type)
		dst = appendMember(dst, "subType", contact.SubType)
		dst = appendMember(dst, "address", contact.Address)
		dst = closeObject(dst, inner)
	}
	if len(c.Contacts) > 0 {
		dst = append(dst, `]}`...)
	}
	return closeObject(dst, mark)
}
