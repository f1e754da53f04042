package agentapi

import (
	"context"
	"net/http"
	"regexp"
	"strings"

	"parley"
	"parley/ident"
)

// phoneNumber is what a number is unless the caller says otherwise (reference 4.7).
var phoneNumber = regexp.MustCompile(`^\+[0-9]{7,15}$`)

// isEmail says whether a text has one @ with something on both sides.
func isEmail(text string) bool {
	before, after, ok := strings.Cut(text, "@")
	return ok && strings.TrimSpace(before) != "" && strings.TrimSpace(after) != "" && !strings.Contains(after, "@")
}

// readUser reads what users have in common, wherever they are written. What is absent is empty.
func readUser(b *body) (u parley.AgentUser) {
	u = parley.AgentUser{FirstName: b.required("firstName", maxShort), LastName: b.required("lastName", maxShort), Email: strings.TrimSpace(b.optional("email", maxShort)),
		Phone: strings.TrimSpace(b.optional("phoneNumber", maxShort)), ForeignID: b.optional("fkId", maxShort), ForeignUserID: b.optional("fkUserId", maxShort),
		Source: b.optional("source", maxShort), Context: b.optional("context", maxContext)}
	anyEmail, anyPhone := b.flag("skipEmailValidation"), b.flag("skipPhoneNumberValidation")
	if u.Email != "" && !anyEmail && !isEmail(u.Email) {
		b.refuse("email", "must have one @ with text on both sides")
	}
	if u.Phone != "" && !anyPhone && !phoneNumber.MatchString(u.Phone) {
		b.refuse("phoneNumber", "must be + and 7 to 15 digits")
	}
	return u
}

// putNew stores a user under a new id.
func (s *Surface) putNew(ctx context.Context, tx parley.Tx, r *request, u *parley.AgentUser) error {
	now := s.now()
	u.ID, u.Tenant, u.Agent, u.Created, u.Modified = ident.New[parley.AgentUser](), r.tenant, r.agent.ID, now, now
	return tx.PutAgentUser(ctx, *u)
}

// createUser makes a user that nobody is known as yet (reference 5).
func (s *Surface) createUser(r *request) (answer, error) {
	b, err := read(r)
	if err != nil {
		return answer{}, err
	}
	u := readUser(b)
	u.CustomData = b.object("customData")
	if u.Email == "" && u.Phone == "" && u.ForeignID == "" {
		b.refuse("email", "or phoneNumber, or fkId is required")
	}
	if err := b.err(); err != nil {
		return answer{}, err
	}
	ctx := r.Context()
	err = s.Store.Update(ctx, func(tx parley.Tx) error {
		for _, by := range []struct{ field, foreign, email, phone string }{{"fkId", u.ForeignID, "", ""}, {"email", "", u.Email, ""}, {"phoneNumber", "", "", u.Phone}} {
			_, err := tx.FindAgentUser(ctx, r.tenant, r.agent.ID, by.foreign, by.email, by.phone)
			if err == nil {
				return bad(by.field, "is that of another user")
			}
			if parley.KindOf(err) != parley.NotFound {
				return err
			}
		}
		return s.putNew(ctx, tx, r, &u)
	})
	return created(showUser(&u)), err
}

type foundUser struct {
	User          user     `json:"user"`
	Conversations []string `json:"conversationIds"`
}

// searchUser finds a user by what it is known by. The first parameter that is given decides.
func (s *Surface) searchUser(r *request) (answer, error) {
	values := r.URL.Query()
	email, phone, foreign := strings.TrimSpace(values.Get("email")), strings.TrimSpace(values.Get("phoneNumber")), values.Get("fkId")
	if strings.HasPrefix(values.Get("phoneNumber"), " ") && phone != "" { // a plus that was not encoded
		phone = "+" + phone
	}
	switch {
	case email != "":
		phone, foreign = "", ""
	case phone != "":
		foreign = ""
	case foreign == "":
		return answer{}, &refusal{status: http.StatusBadRequest, details: []detail{{"email", "or phoneNumber, or fkId is required"}}}
	}
	ctx := r.Context()
	out := foundUser{}
	err := s.Store.View(ctx, func(tx parley.Tx) error {
		u, err := tx.FindAgentUser(ctx, r.tenant, r.agent.ID, foreign, email, phone)
		if err != nil {
			return err
		}
		out = foundUser{User: showUser(&u), Conversations: []string{}}
		for offset, count := 0, 1; offset < count; offset += maxPageSize {
			var page []parley.AgentConversation
			page, count, err = tx.ListAgentConversations(ctx, parley.AgentQuery{Tenant: r.tenant, Agent: r.agent.ID, User: u.ID, Ascending: true, Offset: offset, Limit: maxPageSize})
			if err != nil {
				return err
			}
			for i := range page {
				out.Conversations = append(out.Conversations, page[i].Conversation.ID.String())
			}
		}
		return nil
	})
	return ok(out), err
}

func (s *Surface) findUser(r *request) (u parley.AgentUser, err error) {
	id, err := named[parley.AgentUser](r, "id")
	if err != nil {
		return u, err
	}
	err = s.Store.View(r.Context(), func(tx parley.Tx) (err error) {
		u, err = tx.AgentUser(r.Context(), r.tenant, r.agent.ID, id)
		return err
	})
	return u, err
}

func (s *Surface) getUser(r *request) (answer, error) {
	u, err := s.findUser(r)
	return ok(showUser(&u)), err
}

// deleteUser removes a user with its conversations.
func (s *Surface) deleteUser(r *request) (answer, error) {
	u, err := s.findUser(r)
	if err != nil {
		return answer{}, err
	}
	if err := s.forget(r, u.ID); err != nil {
		return answer{}, err
	}
	ctx := r.Context()
	return done, s.Store.Update(ctx, func(tx parley.Tx) error { return tx.DeleteAgentUser(ctx, r.tenant, r.agent.ID, u.ID) })
}
