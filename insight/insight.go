package insight

import (
	"time"
	"unicode/utf8"

	"parley"
)

// endOf is when a message was said to its end.
func endOf(m *parley.Message) time.Time {
	return m.Created.Add(time.Duration(m.Body.Duration) * time.Millisecond)
}

// insightOf is the insight of a conversation with what these messages add, at least one, in order of Seq. In texts the order of Seq need
// not be that of time.
func insightOf(c *parley.Conversation, messages []parley.Message, job *parley.Job) parley.Insight {
	i := parley.Insight{Conversation: c.ID, Tenant: c.Tenant, Number: parley.NumberOf(c.ID), Type: "meeting", Metadata: map[string]string{},
		Seq: messages[len(messages)-1].Seq, Started: messages[0].Created, Ended: messages[0].Created}
	for j := range messages {
		m := &messages[j]
		if m.Created.Before(i.Started) {
			i.Started = m.Created
		}
		if end := endOf(m); end.After(i.Ended) {
			i.Ended = end
		}
	}
	i.Started, i.Ended = datable(i.Started), datable(i.Ended)
	if job != nil {
		i.Name = storable(job.Request.Name)
		for name, value := range job.Request.Metadata {
			i.Metadata[storable(name)] = storable(value)
		}
		return i
	}
	for _, a := range c.State.Customer.Attributes {
		if name := storable(a.Name); name != "" && utf8.RuneCountInString(name) <= maxMetadata && utf8.RuneCountInString(a.Value) <= maxMetadata {
			i.Metadata[name] = storable(a.Value)
		}
	}
	return i
}

// maxMetadata is the length of a key and of a value of metadata, in characters. Reference 5.5 has it for values; a key goes into an
// index, which PostgreSQL bounds.
const maxMetadata = 128
