// Package egress decides which addresses the hub may reach for strangers, and is the way to reach them.
//
// Callback and token URLs, links to attachments and mail domains are named by tenants, so every connection to one of them
// is made by a [Guard]. It is asked twice: [Guard.Refuses] when a URL is configured, so that who writes a private address
// hears of it at once; and on every connect with the address that was resolved, which is what counts, since names may
// resolve differently each time. Only the second can be relied on.
//
// With a proxy the verdict stays here: the hub resolves the name, judges its addresses, and asks the proxy for one of them
// by number. The proxy therefore never sees a name to resolve, and the hub needs a DNS that knows the outside.
//
// What went wrong on the way is told by [Plain], whose words may be shown to the tenant.
package egress
