package parley

import "time"

// Base is what the six kinds of configuration objects have in common.
type Base struct {
	Tenant      TenantID  `json:"-"`
	Name        string    `json:"name,omitempty"` // unique in the tenant where the reference says so
	Description string    `json:"description,omitempty"`
	Active      bool      `json:"active"` // false: readable and referable, but in no new conversation
	Created     time.Time `json:"-"`
	Modified    time.Time `json:"-"`
}

// A NameValue is a free pair of strings: a header, an option, an attribute.
type NameValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// An Authentication is how the hub proves itself to a callback URL: by OAuth2 or Basic, never both, and by the certificate
// of TLS, which may be there beside either of them or alone. It holds secrets; the store seals it as a whole.
type Authentication struct {
	ID AuthenticationID `json:"-"`
	Base
	OAuth2 *TokenRecipe `json:"oauth2,omitempty"`
	Basic  *BasicAuth   `json:"basic,omitempty"`
	TLS    *TLSIdentity `json:"tls,omitempty"` // ours: the published API has none
	// Token is the Authorization that the recipe of OAuth2 made last, if it is still thought good. The hub keeps it here,
	// sealed like the rest, so that a restart, or another node, needs no new one; no API reads or writes it.
	Token string `json:"token,omitempty"`
}

// A TLSIdentity is how a callback, and the token URL, are spoken to over TLS. All are PEM; at least one of Certificate and
// Authorities is set.
type TLSIdentity struct {
	Certificate string `json:"certificate,omitempty"` // that the hub shows, with those between it and its root
	Key         string `json:"key,omitempty"`         // of the certificate; a secret
	Authorities string `json:"authorities,omitempty"` // that are trusted beside the system's
}

// A TokenRecipe says how to fetch an access token.
type TokenRecipe struct {
	URL       string      `json:"url"`
	Method    string      `json:"method"` // GET, POST or PUT; never empty
	Headers   []NameValue `json:"headers,omitempty"`
	Payload   string      `json:"payload,omitempty"` // sent verbatim as the body; may hold secrets
	TokenPath string      `json:"tokenPath"`         // JSONPath into the answer
}

// BasicAuth is a user name and a password.
type BasicAuth struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// A ClientApplication is outside software that sends and receives messages in one or more roles. Custom headers may
// hold secrets; the store seals it as a whole.
type ClientApplication struct {
	ID ApplicationID `json:"-"`
	Base
	Roles []ApplicationRole `json:"roles"`
	// BuiltIn applications (widget, console) are reached over WebSocket instead of a callback. They are seeded with
	// fixed ids and cannot be changed or deleted through conversationmgr.
	BuiltIn bool `json:"builtIn,omitempty"`
	// Bot is how the bot is asked that the program is; nil = as any program of conversationmgr.
	Bot *BotSettings `json:"bot,omitempty"`
	// Hook is what the program hears of, if it is a webhook of a bot; nil = it is none.
	Hook *Hook `json:"hook,omitempty"`
}

// An ApplicationRole is one way a ClientApplication takes part, with its callback.
type ApplicationRole struct {
	Name              Role             `json:"name"`
	Version           string           `json:"version"`            // v1 or v3; both get the v3 shape
	Callback          string           `json:"callback,omitempty"` // an absolute URL, or [SessionCallback]
	NotificationEmail string           `json:"notificationEmail,omitempty"`
	Headers           []NameValue      `json:"headers,omitempty"`
	Authentication    AuthenticationID `json:"authentication,omitzero"` // zero: callbacks carry no Authorization
	Signing           Signing          `json:"signing,omitzero"`
	Delivery          DeliverySettings `json:"delivery,omitzero"`
}

// SessionCallback in place of a callback's URL says that the program takes its messages over a WebSocket session: it may be
// behind a firewall. The vendor has nothing like it; see ADR 10.
const SessionCallback = "urn:parley:session"

// Role is the application's role of that name, if it has one.
func (a *ClientApplication) Role(name Role) (ApplicationRole, bool) {
	for _, r := range a.Roles {
		if r.Name == name {
			return r, true
		}
	}
	return ApplicationRole{}, false
}

// The client applications seeded in every tenant; the ids are the same in each.
var (
	WidgetApplication  = ApplicationID{15: 0x10, 6: 0x70, 8: 0x80} // customer, over the widget
	ConsoleApplication = ApplicationID{15: 0x11, 6: 0x70, 8: 0x80} // custom_agent, over the console
	WebChatChannel     = ChannelID{15: 0x20, 6: 0x70, 8: 0x80}     // type "web_chat"
)

// A Participant is a bot persona; several may share one ClientApplication.
type Participant struct {
	ID ParticipantID `json:"-"`
	Base
	Type        Role          `json:"type"` // custom_bot or egain_bot
	Application ApplicationID `json:"application"`
	Intents     []Intent      `json:"intents,omitempty"` // nil = the object was absent
	Options     []NameValue   `json:"options,omitempty"`
}

// An Intent is something a bot can handle.
type Intent struct {
	Value        string `json:"value"`
	DisplayValue string `json:"displayValue"`
}

// OptionTurnDeadline is the Participant option that says how many seconds the bot has to answer before the
// orchestration goes on without it; see [DefaultTurnDeadline].
const OptionTurnDeadline = "turnDeadlineSeconds"

// DefaultTurnDeadline is how long a callback bot may stay silent after a customer message. The vendor has no such
// rule; guarantee G7 needs one, and a minute is longer than any customer waits.
const DefaultTurnDeadline = time.Minute
