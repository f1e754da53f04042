package judge

import (
	"context"
	"strings"
	"unicode"

	"parley"
	"parley/markup"
)

// A Judgement is what is made of a conversation. Without a word there is none.
type Judgement struct {
	Title   string
	Summary string
	Score   *float64 // 0 to 10; 0 = there is too little to judge; nil = nothing was said
}

// material is what is known of a conversation.
type material struct {
	messages []parley.Message
	turns    []parley.Turn
	votes    []parley.Feedback
}

func read(ctx context.Context, tx parley.Tx, a *parley.AgentConversation) (m material, err error) {
	tenant, id := a.Conversation.Tenant, a.Conversation.ID
	if m.messages, err = tx.Messages(ctx, parley.MessageQuery{Tenant: tenant, Conversation: id, Limit: maxMessages, Newest: true}); err != nil {
		return m, err
	}
	if m.turns, err = tx.TurnsOf(ctx, tenant, id, 0, maxTurns); err != nil {
		return m, err
	}
	votes, err := tx.Feedbacks(ctx, tenant, []parley.ConversationID{id})
	m.votes = votes[id]
	return m, err
}

// The lengths of what the rules write, in characters.
const (
	titleLength = 60
	quoteLength = 200
)

// The rules of the score (docs/agents.md): where it begins, and what changes it.
const (
	scoreBegins    = 7.0
	scoreFailed    = -4.0 // times the share of turns that failed
	scorePeople    = -1.0 // people had to answer
	scoreUp        = 2.0  // a vote
	scoreDown      = -3.0
	scoreLow       = 1.0
	scoreHigh      = 10.0
	scoreTooLittle = 0.0
)

// plainly judges by rules. The title is how the first question begins. The summary is the first question and the last answer. The score
// begins at 7, loses 4 for turns that failed if all did and less if fewer, and 1 if people answered; each vote up gives 2, each down
// takes 3; it stays from 1 to 10, and is 0 as long as no turn is over and nobody voted.
func (m *material) plainly() (j Judgement) {
	var first, last string
	people := false
	for i := range m.messages {
		said := textOf(&m.messages[i])
		sender := m.messages[i].Sender
		switch {
		case said == "":
		case sender == parley.Customer && first == "":
			first = said
		case sender.IsAgent():
			people, last = true, said
		case sender.IsBot():
			last = said
		}
	}
	if first == "" && last == "" {
		return j
	}
	j.Title = cut(firstSentence(first), titleLength)
	switch {
	case first == "":
		j.Summary = cut(last, quoteLength)
	case last == "":
		j.Summary = cut(first, quoteLength)
	default:
		j.Summary = cut(first, quoteLength) + " — " + cut(last, quoteLength)
	}
	j.Score = new(m.score(people))
	return j
}

func (m *material) score(people bool) float64 {
	over, failed := 0, 0
	for _, t := range m.turns {
		switch t.Status {
		case parley.TurnAnswered:
			over++
		case parley.TurnFailed:
			over++
			failed++
		}
	}
	if over == 0 && !people && len(m.votes) == 0 {
		return scoreTooLittle
	}
	score := scoreBegins
	if over > 0 {
		score += scoreFailed * float64(failed) / float64(over)
	}
	if people {
		score += scorePeople
	}
	for _, v := range m.votes {
		if v.Up {
			score += scoreUp
		} else {
			score += scoreDown
		}
	}
	return max(scoreLow, min(scoreHigh, score))
}

// textOf is what a message says to people, in one line.
func textOf(m *parley.Message) string {
	_, rich := m.Type.Rich()
	c := m.Body.Content
	if m.Type != parley.TypeText && !rich || c == nil || c.Redact || m.Deleted != parley.NotDeleted || m.Sender == parley.System || !m.Spoken() {
		return ""
	}
	text := c.Text
	if text == "" {
		text = markup.Text(c.HTML)
	}
	return strings.Join(strings.Fields(text), " ")
}

// firstSentence is a text up to the end of its first sentence.
func firstSentence(text string) string {
	for i, r := range text {
		if !strings.ContainsRune(".!?。！？", r) {
			continue
		}
		rest := text[i+len(string(r)):]
		if rest == "" || unicode.IsSpace([]rune(rest)[0]) {
			return strings.TrimRight(text[:i]+string(r), ".。")
		}
	}
	return text
}

// cut is a text of at most so many characters, cut between words if it can be.
func cut(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	short := string(runes[:most-1])
	if at := strings.LastIndexByte(short, ' '); runes[most-1] != ' ' && at > len(short)/2 {
		short = short[:at]
	}
	return strings.TrimRight(short, " ,;:") + "…"
}
