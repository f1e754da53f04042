package parley

// A Role is what a sender is in a conversation. The words are those of the conversationmgr API.
type Role string

const (
	Customer             Role = "customer"
	CustomBot            Role = "custom_bot"
	EgainBot             Role = "egain_bot" // stands for a bot the vendor hosts; treated as CustomBot
	EgainAgent           Role = "egain_agent"
	CustomAgent          Role = "custom_agent"
	BusinessNotification Role = "business_notification" // hears of conversations at most, see [Hook]; the vendor never uses it in them
	System               Role = "system"                // the hub itself; no client may send as it
)

// Roles lists the roles a client application may have.
func Roles() []Role {
	return []Role{Customer, CustomBot, EgainBot, EgainAgent, CustomAgent, BusinessNotification}
}

// SenderRoles lists the roles that may send a message, in the order of the permission matrix.
func SenderRoles() []Role { return []Role{Customer, EgainAgent, CustomAgent, EgainBot, CustomBot} }

// IsBot says whether the role is one of the two bot roles.
func (r Role) IsBot() bool { return r == CustomBot || r == EgainBot }

// IsAgent says whether the role is one of the two agent roles.
func (r Role) IsAgent() bool { return r == CustomAgent || r == EgainAgent }

// A MessageType is one of the 30 types of conversationmgr (reference section 9.4).
type MessageType string

const (
	TypeText               MessageType = "text"
	TypeTypingStart        MessageType = "typing.start"
	TypeTypingEnd          MessageType = "typing.end"
	TypeEscalationTransfer MessageType = "escalation.transfer"
	TypePagePush           MessageType = "pagePush"
	TypeConversationState  MessageType = "conversation.state"
	TypeAgentJoin          MessageType = "agent.join"
	TypeAgentAvailable     MessageType = "agent.available"
	TypeAgentUnavailable   MessageType = "agent.unavailable"
	TypeAgentTransfer      MessageType = "agent.transfer"
	TypeQueueTransfer      MessageType = "queue.transfer"
	TypeRichListpicker     MessageType = "richMessage.listpicker"
	TypeRichQuickreply     MessageType = "richMessage.quickreply"
	TypeRichTemplate       MessageType = "richMessage.template"
	TypeRichTimepicker     MessageType = "richMessage.timepicker"
	TypeRichRichlink       MessageType = "richMessage.richlink"
	TypeRichForm           MessageType = "richMessage.form"
	TypeRichPayment        MessageType = "richMessage.payment"
	TypeRichApp            MessageType = "richMessage.app"
	TypeRichAuthentication MessageType = "richMessage.authentication"
	TypeAuthSuccess        MessageType = "authentication.success"
	TypeAuthFailure        MessageType = "authentication.failure"
	TypeCustomerInfo       MessageType = "customer.info"
	TypeCustomerActive     MessageType = "customer.active"
	TypeCustomerInactive   MessageType = "customer.inactive"
	TypeError              MessageType = "error"
	TypeDeleteSoft         MessageType = "delete.soft"
	TypeDeletePermanent    MessageType = "delete.permanent"
	TypeUndo               MessageType = "undo"
	TypeConversationEnd    MessageType = "conversation.end"
)

// MessageTypes lists all 30 types, in the order of the reference.
func MessageTypes() []MessageType {
	return []MessageType{TypeText, TypeTypingStart, TypeTypingEnd, TypeEscalationTransfer, TypePagePush, TypeConversationState, TypeAgentJoin,
		TypeAgentAvailable, TypeAgentUnavailable, TypeAgentTransfer, TypeQueueTransfer, TypeRichListpicker, TypeRichQuickreply, TypeRichTemplate,
		TypeRichTimepicker, TypeRichRichlink, TypeRichForm, TypeRichPayment, TypeRichApp, TypeRichAuthentication, TypeAuthSuccess, TypeAuthFailure,
		TypeCustomerInfo, TypeCustomerActive, TypeCustomerInactive, TypeError, TypeDeleteSoft, TypeDeletePermanent, TypeUndo, TypeConversationEnd}
}

// richPrefix starts the nine types that a channel may allow one by one.
const richPrefix = "richMessage."

// Rich is the suffix of a rich message type, as channels list it ("quickreply"), and whether the type is one.
func (t MessageType) Rich() (suffix string, ok bool) {
	if len(t) > len(richPrefix) && t[:len(richPrefix)] == richPrefix {
		return string(t[len(richPrefix):]), true
	}
	return "", false
}

// Ephemeral says whether messages of this type are never stored: typing and presence are delivered once, to whoever
// can be reached now, and have no Seq.
func (t MessageType) Ephemeral() bool {
	switch t {
	case TypeTypingStart, TypeTypingEnd, TypeCustomerActive, TypeCustomerInactive:
		return true
	}
	return false
}
