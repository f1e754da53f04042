package insight

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"parley"
)

// emailOf is the address of a conversation's customer, if it is known.
func emailOf(c *parley.Conversation) (email string) {
	for _, contact := range c.State.Customer.Contacts {
		if contact.Type == "email" {
			email = contact.Address
		}
	}
	return email
}

// memberOf is who said a message; email is that of the customer.
func memberOf(conversation parley.ConversationID, email string, m *parley.Message) parley.Member {
	user := ""
	for _, a := range m.Body.Attributes {
		if a.Name == attributeUser {
			user = a.Value
		}
	}
	if user == "" && m.Sender == parley.Customer {
		user = email
	}
	user = storable(user)
	out := parley.Member{Name: cmp.Or(storable(m.Body.Name), user, string(m.Sender))}
	if at := strings.IndexByte(user, '@'); at > 0 && at < len(user)-1 {
		out.Email = user
	}
	who := conversation.String() + "\x00" + string(m.Sender) + "\x00" + cmp.Or(user, out.Name)
	out.ID = strconv.FormatUint(xxhash.Sum64String(who)>>13+1_000_000_000_000_000, 10) // 16 digits, below 2^53
	return out
}

// joined are members with one more, unless that one is among them or there are enough.
func joined(all []parley.Member, m parley.Member) []parley.Member {
	if len(all) >= parley.MaxMembers || slices.ContainsFunc(all, func(have parley.Member) bool { return have.ID == m.ID }) {
		return all
	}
	return append(all, m)
}
