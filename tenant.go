package parley

import "time"

// An Organisation groups Tenants; it owns nothing itself.
type Organisation struct {
	ID      OrganisationID
	Name    string
	Created time.Time
}

// A Tenant is one environment of one organisation. It owns everything below; nothing crosses it.
type Tenant struct {
	ID            TenantID
	Organisation  OrganisationID
	Name          string
	RequireBearer bool   // the broker surface wants a bearer token besides the API-KEY
	WidgetSecret  string // HMAC key of signed visitor identities, made on create; sealed at rest
	Created       time.Time
	Modified      time.Time

	OperationsURL    string // hears of receivers that fail; "" = nobody does
	OperationsSecret string // whsec_…, which signs that; made with the first OperationsURL; sealed at rest
}

// The default organisation and tenant, made by the first migration. "environmentId left out means the default tenant."
var (
	DefaultOrganisation = OrganisationID{15: 1, 6: 0x70, 8: 0x80}
	DefaultTenant       = TenantID{15: 2, 6: 0x70, 8: 0x80}
)

// An APIClient is an OAuth2 client: an outside program that calls REST or connects as an application.
type APIClient struct {
	ID          APIClientID
	PublicID    string // client_id on the wire; the ID's text unless it was given (bootstrap)
	Tenant      TenantID
	Name        string
	SecretHash  []byte        // SHA-256 of the secret, which has 256 bits of its own (or was chosen by the operator)
	Scopes      []string      // everything the client may be granted
	Application ApplicationID // zero = unbound: sender.type decides whom it speaks as
	Roles       []Role        // with Application: the roles it may speak as; empty = all roles of the application
	Kind        KeyKind       // of a key of one of the compatible surfaces; "" = an OAuth2 client
	Expires     time.Time     // zero = never
	Shown       string        // the secret itself, of a key whose surface shows it again; "" = it is nowhere
	Revoked     time.Time     // zero = valid
	Created     time.Time
	Modified    time.Time
}

// A KeyKind says for which surface a key is. A key is an [APIClient] whose scopes follow from its kind.
type KeyKind string

// The kinds of keys.
const (
	KeyManage  KeyKind = "manage"    // of the manage surface: an appId and an appSecret that are given for a token
	KeyAgent   KeyKind = "agent"     // of the agent-conversations surface: one key of one bot, which is its Application
	KeyBroker  KeyKind = "broker"    // of the broker surface: one key of an environment, which administrators can read again
	KeyFigures KeyKind = "analytics" // of the analytics surface: a token id and its secret
)

// KeyKinds lists every kind of key there is.
func KeyKinds() []KeyKind { return []KeyKind{KeyManage, KeyAgent, KeyBroker, KeyFigures} }

// Scopes are those of a key of the kind.
func (k KeyKind) Scopes() []string {
	if k == KeyManage {
		return []string{ScopeUnderstanding}
	}
	return nil // the others are good for nothing but their surface
}

// Ended says whether the client was revoked, or has expired.
func (c *APIClient) Ended(now time.Time) bool {
	return !c.Revoked.IsZero() || !c.Expires.IsZero() && !now.Before(c.Expires)
}

// A ClientQuery asks for a page of a tenant's API clients that are not revoked.
type ClientQuery struct {
	Tenant        TenantID
	Kinds         []KeyKind // keys of these kinds; empty = OAuth2 clients
	Offset, Limit int
}

// The scopes a client may have. Those of conversationmgr are the vendor's; the other three are ours.
const (
	ScopeRead              = "app.conversation.conversationmgr.read"
	ScopeManage            = "app.conversation.conversationmgr.manage"
	ScopeInteractionRead   = "app.conversation.conversationmgr.interaction.read"
	ScopeInteractionManage = "app.conversation.conversationmgr.interaction.manage"
	ScopeAdmin             = "app.parley.admin"
	ScopeBroker            = "app.parley.broker"
	ScopeUnderstanding     = "app.parley.manage" // the manage surface: trackers, entities, groups and what they find
)

// Scopes lists every scope, in the order of their documentation.
func Scopes() []string {
	return []string{ScopeRead, ScopeManage, ScopeInteractionRead, ScopeInteractionManage, ScopeAdmin, ScopeBroker, ScopeUnderstanding}
}
