package bots

import (
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
		var items []map[string]any
		for _, card := range a.Cards {
			titles = append(titles, card.Title)
			items = append(items, map[string]any{"id": card.Title, "title": card.Title, "subtitle": card.SubTitle, "image": card.ImageURL, "actions": choicesOf(card.Buttons, nil)})
		}
		d.Body.Content = &parley.Content{Text: strings.Join(titles, "\n"),
			JSON: object(map[string]any{"type": "listpicker", "version": "1", "sections": []map[string]any{{"title": a.Description, "items": items}}})}
	case parley.AnswerImage, parley.AnswerVideo, parley.AnswerAudio, parley.AnswerDocument:
		d.Body.Content = &parley.Content{Text: a.Description}
		if a.Description == "" {
			d.Body.Content.Text = a.Text
		}
		d.Body.Attachments = []parley.Attachment{{URL: a.Text, Name: a.Description}}
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

// choicesOf are buttons as a quick reply has them (reference/conversationmgr.md 9.5). What is chosen comes back as the title.
func choicesOf(buttons []parley.AnswerButton, replies []parley.QuickReply) []map[string]any {
	choices := []map[string]any{}
	for _, b := range buttons {
		action := map[string]any{"type": "postback"}
		switch b.Type {
		case parley.ButtonURL:
			action = map[string]any{"type": "url", "url": b.Action}
		case parley.ButtonPhone:
			action = map[string]any{"type": "phone", "number": b.Action}
		}
		choices = append(choices, map[string]any{"id": b.Value, "title": b.Name, "actions": []any{action}})
	}
	for _, q := range replies {
		choices = append(choices, map[string]any{"id": q.Value, "title": q.Name, "actions": []any{map[string]any{"type": "postback"}}})
	}
	return choices
}

func object(v map[string]any) json.RawMessage {
	raw, _ := json.Marshal(v) // maps of texts: cannot fail
	return raw
}
