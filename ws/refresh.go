package ws

import (
	"context"
	"slices"
	"time"

	"parley"
)

// expiringBefore is how long before its token ends a session is told, or a fifth of the time that is left if that is less.
const expiringBefore = time.Minute

// expireAt sets when the session ends unless it gets another token, and when it is told so. Called with mu held.
func (s *session) expireAt(at time.Time) {
	left := time.Until(at)
	s.warned = false
	s.expireIn(left - min(expiringBefore, left/5))
}

func (s *session) expireIn(wait time.Duration) {
	s.due = time.Now().Add(wait)
	if s.expiry == nil {
		s.expiry = time.AfterFunc(wait, s.expire)
		return
	}
	s.expiry.Reset(wait)
}

// expire says that the token ends and, when it does, ends the session.
func (s *session) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case time.Now().Before(s.due): // another token came at the same moment
	case s.warned:
		s.end(&closing{code: closeExpired})
	default:
		s.warned = true
		s.expireIn(time.Until(s.grant.Expires))
		s.push(encode(map[string]any{"expiring": map[string]any{"expires": s.grant.Expires.UTC().Format(time.RFC3339)}}))
	}
}

// refresh takes a new token for the same speaker, so that the session goes on. A token that is not good changes nothing: the
// session ends with the one it has.
func (s *session) refresh(r *request) error {
	var in struct {
		Token string `json:"token"`
	}
	if err := decode(r.body, &in); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.done, opTimeout)
	defer cancel()
	grant, err := s.server.config.Tokens.VerifySession(ctx, in.Token)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !sameSpeaker(grant.Speaker, s.grant.Speaker) {
		s.fail(r.id, &parley.Error{Kind: parley.Forbidden, Reason: parley.NotParty, Msg: "the token belongs to somebody else; connect with it anew"})
		return nil
	}
	s.grant.Expires = grant.Expires
	s.keep(in.Token)
	s.expireAt(grant.Expires)
	s.ok(r.id, map[string]string{"expires": grant.Expires.UTC().Format(time.RFC3339)})
	return nil
}

// sameSpeaker says whether two tokens speak as the same.
func sameSpeaker(a, b parley.Speaker) bool {
	return a.Tenant == b.Tenant && a.Application == b.Application && a.Contact == b.Contact && a.Account == b.Account && slices.Equal(a.Roles, b.Roles)
}
