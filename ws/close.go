package ws

//go:generate sh -c "go run ./gencodes > ../web/client/src/codes.ts"

import (
	"errors"

	"github.com/coder/websocket"

	"parley"
)

// A CloseCode says why a session ended and whether the client should come back. web/client/src/codes.ts is generated
// from CloseCodes.
type CloseCode struct {
	Code     websocket.StatusCode
	Name     string
	ComeBack bool // connect again, with jitter, and resume
	NewToken bool // fetch a token before connecting again
	Meaning  string
}

// The close codes. Those from 4400 are ours; 44xx mirrors the HTTP status of the same meaning where there is one.
var (
	closeNormal    = CloseCode{1000, "normal", false, false, "the client ended the session"}
	closeAway      = CloseCode{1001, "going away", true, false, "the other side is leaving"}
	closePolicy    = CloseCode{1008, "policy", false, false, "the origin, or something else about the connection, is not allowed"}
	closeTooBig    = CloseCode{1009, "too big", false, false, "a frame was larger than allowed"}
	closeInternal  = CloseCode{1011, "internal", true, false, "a fault of the server"}
	closeRestart   = CloseCode{1012, "restart", true, false, "the server restarts; goodbye said how long to wait"}
	closeProtocol  = CloseCode{4400, "bad protocol", false, false, "the client sent something that is no request"}
	closeToken     = CloseCode{4401, "token refused", false, true, "the token is not good"}
	closeForbidden = CloseCode{4403, "forbidden", false, false, "the token does not allow sessions"}
	closeSlow      = CloseCode{4408, "too slow", true, false, "the client did not read, or was silent, for too long"}
	closeCrowded   = CloseCode{4409, "too many sessions", false, false, "the customer has as many sessions as one may have"}
	closeExpired   = CloseCode{4410, "token expired", false, true, "the token's time is over"}
	closeRate      = CloseCode{4429, "rate", true, false, "the client sent too much"}
)

// CloseCodes lists every code a session may end with.
func CloseCodes() []CloseCode {
	return []CloseCode{closeNormal, closeAway, closePolicy, closeTooBig, closeInternal, closeRestart, closeProtocol, closeToken,
		closeForbidden, closeSlow, closeCrowded, closeExpired, closeRate}
}

// maxCloseReason is in bytes: a control frame carries at most 125 (RFC 6455 section 5.5), two of them the code. With a
// longer reason the library sends code 1011 in place of ours.
const maxCloseReason = 123

// A closing is the cause of a session's end.
type closing struct {
	code   CloseCode
	reason string // for people; "" = the code's name
}

func (c *closing) Error() string {
	reason := c.reason
	if reason == "" {
		reason = c.code.Name
	}
	if len(reason) > maxCloseReason {
		reason = reason[:maxCloseReason]
	}
	return reason
}

// errLost marks what a connection that is not there any more fails with: nobody's fault.
var errLost = errors.New("connection lost")

// closingOf says how a session ends after an error.
func closingOf(err error) *closing {
	if c, ok := errors.AsType[*closing](err); ok {
		return c
	}
	if errors.Is(err, errLost) && websocket.CloseStatus(err) == -1 && !errors.Is(err, websocket.ErrMessageTooBig) {
		return &closing{code: closeAway}
	}
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return &closing{code: closeTooBig}
	}
	switch websocket.CloseStatus(err) {
	case websocket.StatusNormalClosure, websocket.StatusNoStatusRcvd:
		return &closing{code: closeNormal}
	case -1:
	default:
		return &closing{code: closeAway}
	}
	switch parley.KindOf(err) {
	case parley.Unauthenticated:
		return &closing{code: closeToken, reason: "the token is not good"}
	case parley.Forbidden:
		return &closing{code: closeForbidden, reason: err.Error()}
	}
	return &closing{code: closeInternal}
}
