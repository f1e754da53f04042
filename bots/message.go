package bots

import (
	"cmp"
	"encoding/json"
	"strings"

	"parley"
	"parley/markup"
)

// Message is an answer as a message of the conversation: the type and content that other programs and pages show, with the
// answer itself beside it.
func Message(a parley.BotAnswer) parley.Draft {
	d := parley.Draft{Type: parley.TypeText, Body: parley.Body{Answer: &a, Content: content(a.Text)}}
	switch a.Type {
	case parley.AnswerOptions:
		if choices := choicesOf(a.Buttons, a.QuickReplies); len(choices) > 0 {
			d.Type = parley.TypeRichQuickreply
			d.Body.Content.JSON = object(map[string]any{"type": "quickreply", "version": "1", "title": markup.Text(a.Text), "items": choices})
		}
	case parley.AnswerCarousel:
		d.Type = parley.TypeRichListpicker
		var titles []string
		items := []map[string]any{}
		for _, card := range a.Cards {
			titles = append(titles, card.Title)
			items = append(items, itemOf(card))
		}
		d.Body.Content = &parley.Content{Text: strings.Join(titles, "\n"), JSON: object(map[string]any{"type": "list", "version": "1", "title": a.Description,
			"list": map[string]any{"multipleSelection": false, "sections": []map[string]any{{"title": a.Description, "order": 0, "multipleSelection": false, "items": items}}}})}
	case parley.AnswerImage, parley.AnswerVideo, parley.AnswerAudio, parley.AnswerDocument:
		d.Body.Content = &parley.Content{Text: a.Description}
		if a.Description == "" {
			d.Body.Content.Text = a.Text
		}
		d.Body.Attachments = []parley.Attachment{{URL: a.Text, Name: a.Description, ContentType: mediaType(a.Type, a.Text)}}
	case parley.AnswerCustom:
		d.Body.Content.JSON = a.Technical
	}
	return d
}

// content is a text that may hold simple HTML.
func content(text string) *parley.Content {
	if !strings.ContainsAny(text, "<&") {
		return &parley.Content{Text: text}
	}
	return &parley.Content{Text: markup.Text(text), HTML: text}
}

// choicesOf are buttons as a quick reply has them (reference/conversationmgr.md 9.5).
func choicesOf(buttons []parley.AnswerButton, replies []parley.QuickReply) []map[string]any {
	choices := []map[string]any{}
	for _, b := range buttons {
		choices = append(choices, map[string]any{"id": b.Value, "title": b.Name, "actions": []any{actionOf(b)}})
	}
	for _, q := range replies {
		choices = append(choices, map[string]any{"id": q.Value, "title": q.Name, "actions": []any{map[string]any{"type": "postback"}}})
	}
	return choices
}

// itemOf is a card as an item of a list. Its actions are the buttons, with what stands for each of them. For whoever can only choose the item as a
// whole, it stands for the first of them that says something.
func itemOf(card parley.AnswerCard) map[string]any {
	id := ""
	actions := []any{}
	for _, b := range card.Buttons {
		action := actionOf(b)
		if action["type"] == "postback" {
			id = cmp.Or(id, b.Value)
		}
		action["id"], action["title"] = b.Value, b.Name
		actions = append(actions, action)
	}
	return map[string]any{"id": cmp.Or(id, card.Title), "title": card.Title, "subtitle": card.SubTitle, "image": card.ImageURL, "actions": actions}
}

// actionOf is what a button does.
func actionOf(b parley.AnswerButton) map[string]any {
	switch b.Type {
	case parley.ButtonURL:
		return map[string]any{"type": "url", "url": b.Action}
	case parley.ButtonPhone:
		return map[string]any{"type": "phone", "number": b.Action}
	}
	return map[string]any{"type": "postback"}
}

// chosen is what a choice stands for: customers choose titles, and bots get the values of buttons, which are the ids of choices (reference/broker.md 4.5).
// "" = the message is no choice, or one that stands for nothing.
func chosen(c *parley.Content) string {
	var said struct {
		Selection []struct{ ID, Title string }
	}
	if len(c.JSON) == 0 || json.Unmarshal(c.JSON, &said) != nil { // customers send what they like
		return ""
	}
	var values []string
	for _, one := range said.Selection {
		if value := cmp.Or(one.ID, one.Title); value != "" {
			values = append(values, value)
		}
	}
	return strings.Join(values, ", ")
}

func object(v map[string]any) json.RawMessage {
	raw, _ := json.Marshal(v) // maps of texts: cannot fail
	return raw
}
