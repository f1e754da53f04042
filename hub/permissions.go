package hub

import "parley"

// senders is a set of sender roles, in the order of [parley.SenderRoles].
type senders [5]bool

var (
	everyone     = senders{true, true, true, true, true}
	agentsOnly   = senders{false, true, true, false, false}
	notCustomers = senders{false, true, true, true, true}
	customerOnly = senders{true, false, false, false, false}
)

// permissions is the vendor's matrix (reference section 9.4): who may send which type.
var permissions = map[parley.MessageType]senders{
	parley.TypeText:               everyone,
	parley.TypeTypingStart:        everyone,
	parley.TypeTypingEnd:          everyone,
	parley.TypeEscalationTransfer: notCustomers,
	parley.TypePagePush:           notCustomers,
	parley.TypeConversationState:  agentsOnly,
	parley.TypeAgentJoin:          agentsOnly,
	parley.TypeAgentAvailable:     agentsOnly,
	parley.TypeAgentUnavailable:   agentsOnly,
	parley.TypeAgentTransfer:      agentsOnly,
	parley.TypeQueueTransfer:      agentsOnly,
	parley.TypeRichListpicker:     notCustomers,
	parley.TypeRichQuickreply:     notCustomers,
	parley.TypeRichTemplate:       notCustomers,
	parley.TypeRichTimepicker:     notCustomers,
	parley.TypeRichRichlink:       notCustomers,
	parley.TypeRichForm:           notCustomers,
	parley.TypeRichPayment:        notCustomers,
	parley.TypeRichApp:            notCustomers,
	parley.TypeRichAuthentication: notCustomers,
	parley.TypeAuthSuccess:        customerOnly,
	parley.TypeAuthFailure:        customerOnly,
	parley.TypeCustomerInfo:       everyone,
	parley.TypeCustomerActive:     customerOnly,
	parley.TypeCustomerInactive:   customerOnly,
	parley.TypeError:              everyone,
	parley.TypeDeleteSoft:         customerOnly,
	parley.TypeDeletePermanent:    customerOnly,
	parley.TypeUndo:               customerOnly,
	parley.TypeConversationEnd:    everyone,
}

// Permitted says whether a sender role may send a message type at all.
func Permitted(sender parley.Role, t parley.MessageType) bool {
	for i, role := range parley.SenderRoles() {
		if role == sender {
			return permissions[t][i]
		}
	}
	return false
}
