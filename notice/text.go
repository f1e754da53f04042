package notice

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode"

	"parley/dispatch"
)

// text is what a mail says: who, what, why, and what to do about it.
func (n *Notifier) text(j job) (subject, body string) {
	name := line(cmp.Or(j.about.Application, j.Receiver.Application.String()))
	role := string(j.Receiver.Role)
	var b strings.Builder
	row := func(label, value string) { fmt.Fprintf(&b, "%-20s %s\n", label+":", value) }
	row("Client application", name+" ("+j.Receiver.Application.String()+")")
	row("Role", role)
	row("Environment", line(j.about.Environment)+" ("+j.Receiver.Tenant.String()+")")
	row("When", j.At.UTC().Format(time.RFC3339))
	admin := n.config.Hub + "/admin/v1"
	switch j.Event {
	case dispatch.ReceiverDisabled:
		subject = fmt.Sprintf("Parley: %s (%s) is disabled", name, role)
		row("What happened", "The role is disabled. What it is owed is held; nothing is lost.")
		row("Why", line(j.Reason))
		fmt.Fprintf(&b, "\nMend the receiver, then enable the role; what was held is then sent, in order:\n  POST %s/clientapplications/%s/roles/%s/enable\n", admin, j.Receiver.Application, role)
	default:
		subject = fmt.Sprintf("Parley: deliveries to %s (%s) are given up", name, role)
		row("What happened", "A message could not be delivered and was given up. It is kept.")
		row("Why", line(j.Reason))
		row("Delivery", j.Delivery.String())
		fmt.Fprintf(&b, "\nSee all that was given up:\n  GET %s/deadletters\nMend the receiver, then have them tried again:\n  POST %s/deadletters/replay\n", admin, admin)
		fmt.Fprintf(&b, "If the role is disabled, too, enable it:\n  POST %s/clientapplications/%s/roles/%s/enable\n", admin, j.Receiver.Application, role)
	}
	fmt.Fprintf(&b, "\nHow all receivers do:\n  GET %s/receivers\n\nThere is at most one mail an hour about what is given up of a role, and one about its being disabled, so more may have happened.\n", admin)
	return subject, b.String()
}

// line makes one line of a text from outside: a name with a line break in it must not write the rest of the mail.
func line(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}
