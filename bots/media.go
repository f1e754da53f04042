package bots

import (
	"net/url"
	"path"
	"strings"

	"parley"
)

// endings are the media types that the end of an address tells, by the type of the answer. What else a bot calls an image may be one, but of which
// type nobody knows before it is fetched.
var endings = map[string]map[string]string{
	parley.AnswerImage: {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".avif": "image/avif", ".svg": "image/svg+xml", ".bmp": "image/bmp"},
	parley.AnswerVideo: {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime", ".ogv": "video/ogg"},
	parley.AnswerAudio: {".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".aac": "audio/aac", ".oga": "audio/ogg", ".ogg": "audio/ogg", ".opus": "audio/ogg", ".wav": "audio/wav", ".flac": "audio/flac"},
	parley.AnswerDocument: {".pdf": "application/pdf", ".txt": "text/plain", ".csv": "text/csv", ".zip": "application/zip", ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
		".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
}

// mediaType is the media type of an answer that is a medium; "" = not known. A document that could be anything is something to be saved, even if its
// address ends like that of a picture.
func mediaType(answer, address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	kind := endings[answer][strings.ToLower(path.Ext(u.Path))]
	if kind == "" && answer == parley.AnswerDocument {
		return "application/octet-stream"
	}
	return kind
}
