package agentapi

import (
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"parley"
	"parley/rest/api"
)

// A sentFile is one that a message names.
type sentFile struct{ name, path, field string }

// readFiles reads the files of a send.
func (s *Surface) readFiles(b *body) (files []sentFile) {
	for i, members := range b.objects("files") {
		prefix := "files[" + strconv.Itoa(i) + "]."
		one := &body{members: members, findings: findings{prefix: prefix}}
		files = append(files, sentFile{one.required("fileName", maxShort), one.required("storagePath", maxLong), prefix + "storagePath"})
		b.wrong = append(b.wrong, one.wrong...)
	}
	return files
}

// storagePath is where a file is said to be.
func storagePath(a *parley.AgentConversation, file *parley.Asset) string {
	return "conversations/" + a.PublicID + "/" + file.ID.String() + "/" + file.Name
}

// attach makes attachments of files that were uploaded for this conversation.
func (s *Surface) attach(r *request, a *parley.AgentConversation, files []sentFile) (all []parley.Attachment, err error) {
	ctx := r.Context()
	err = s.Store.View(ctx, func(tx parley.Tx) error {
		all = nil
		for _, f := range files {
			unknown := bad(f.field, "is no file that was uploaded for this conversation")
			parts := strings.SplitN(f.path, "/", 4)
			if len(parts) != 4 {
				return unknown
			}
			id, err := parley.ParseID[parley.Asset](parts[2])
			if err != nil {
				return unknown
			}
			asset, err := tx.Asset(ctx, r.tenant, id)
			if err == nil {
				var at parley.ConversationID
				if at, err = tx.AgentFile(ctx, r.tenant, id); err == nil && at != a.Conversation.ID {
					return unknown
				}
			}
			if parley.KindOf(err) == parley.NotFound || err == nil && (!asset.Uploaded || f.path != storagePath(a, &asset)) {
				return unknown
			}
			if err != nil {
				return err
			}
			all = append(all, parley.Attachment{Asset: id})
		}
		return nil
	})
	return all, err
}

type signedUpload struct {
	URL  string `json:"signedUrl"`
	Path string `json:"storagePath"`
}

// uploadURL announces a file (reference 4.14).
func (s *Surface) uploadURL(r *request) (answer, error) {
	a, b, err := s.conversationAndBody(r)
	if err != nil {
		return answer{}, err
	}
	name, media := b.required("fileName", maxShort), b.required("contentType", maxShort)
	if strings.ContainsAny(name, "/\\\r\n") {
		b.refuse("fileName", "must be a name, without slashes")
	}
	if _, _, err := mime.ParseMediaType(media); media != "" && err != nil {
		b.refuse("contentType", "must be a media type such as application/pdf")
	}
	if err := b.err(); err != nil {
		return answer{}, err
	}
	ctx := r.Context()
	asset, signed, err := s.Files.Announce(ctx, parley.Asset{Tenant: r.tenant, ChannelType: a.Channel, Sender: parley.Customer, Name: name, Size: -1})
	if err != nil {
		if e, ok := errors.AsType[*parley.Error](err); ok && e.Kind == parley.Invalid {
			err = bad("fileName", e.Msg)
		}
		return answer{}, err
	}
	err = s.Store.Update(ctx, func(tx parley.Tx) error { return tx.PutAgentFile(ctx, r.tenant, asset.ID, a.Conversation.ID) })
	return ok(signedUpload{signed.URL, storagePath(&a, &asset)}), err
}

type signedDownload struct {
	URL  string `json:"signedUrl"`
	File string `json:"fileId"`
}

// signedURL shows where a file is (reference 4.15).
func (s *Surface) signedURL(r *request) (answer, error) {
	a, err := s.conversation(r)
	if err != nil {
		return answer{}, err
	}
	id, err := named[parley.Asset](r, "fileId")
	if err != nil {
		return answer{}, err
	}
	ctx := r.Context()
	if err := s.Store.View(ctx, func(tx parley.Tx) error {
		at, err := tx.AgentFile(ctx, r.tenant, id)
		if err == nil && at != a.Conversation.ID {
			err = errNotFound
		}
		return err
	}); err != nil {
		return answer{}, err
	}
	_, signed, err := s.Files.Find(ctx, r.tenant, id)
	return ok(signedDownload{signed.URL, id.String()}), err
}

// upload takes the bytes of a file at a signed URL. Its errors are those of the surface: a signature that is not good is a bad credential.
func (s *Surface) upload(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, parley.MaxAssetSize+1)
	// What the caller says of the type does not count: the name says it.
	if _, err := s.Files.Receive(r.Context(), r.URL.Query().Get("signature"), "", r.Body); err != nil {
		writeError(w, r, signatureError(err))
		return
	}
	api.WriteJSON(w, http.StatusOK, struct{}{})
}

// download answers a file at a signed URL.
func (s *Surface) download(w http.ResponseWriter, r *http.Request) {
	asset, content, err := s.Files.Open(r.Context(), r.URL.Query().Get("signature"))
	if err != nil {
		writeError(w, r, signatureError(err))
		return
	}
	defer content.Close()
	api.WriteFile(w, r, &asset, content)
}

func signatureError(err error) error {
	if parley.KindOf(err) == parley.Forbidden {
		return errKey
	}
	return err
}
