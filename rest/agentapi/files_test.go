package agentapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/rest/agentapi"
)

// A file is uploaded to a signed URL, sent with a message, and read at another.
func TestFiles(t *testing.T) {
	s := newStage(t)
	path := s.open()
	announce := func() (url, at string) {
		made := s.must("POST", path+"/message-files/upload-url", `{"fileName":"a note.txt","contentType":"text/plain"}`, 200)
		return made["signedUrl"].(string), made["storagePath"].(string)
	}
	url, at := announce()
	put := func(url, content string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/octet-stream")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(text)
	}
	send := `{"message":"see","files":[{"fileName":"a note.txt","storagePath":"` + at + `"}]}`
	if status, _ := s.call("POST", path+"/messages", send); status != 400 {
		t.Errorf("a file that was not uploaded answered %d", status)
	}
	if status, text := put(url, "what it says"); status != 200 {
		t.Fatalf("the upload answered %d %s", status, text)
	}
	if status, _ := put(url, "again"); status != 400 {
		t.Errorf("a second upload answered %d", status)
	}
	if status, _ := put(s.server+agentapi.FilesPath+"/upload?signature=x", "x"); status != 403 {
		t.Errorf("a bad signature answered %d", status)
	}
	large, _ := announce()
	if status, _ := put(large, strings.Repeat("x", parley.MaxAssetSize+1)); status != 400 {
		t.Errorf("too large a file answered %d", status)
	}
	s.must("POST", path+"/messages", send, 201)
	file := s.must("GET", path+"/messages", "", 200)["messages"].([]any)[0].(map[string]any)["files"].([]any)[0].(map[string]any)
	if file["fileName"] != "a note.txt" || file["size"] != 12.0 || file["openAIFileId"] != file["id"] {
		t.Errorf("the file is %v", file)
	}
	signed := s.must("GET", path+"/message-files/"+file["id"].(string)+"/signed-url", "", 200)
	res, err := http.Get(signed["signedUrl"].(string))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if content, _ := io.ReadAll(res.Body); string(content) != "what it says" || res.StatusCode != 200 {
		t.Errorf("the download answered %d %s", res.StatusCode, content)
	}
	s.must("PUT", path+"/mode", `{"mode":"manual"}`, 200)
	if got := s.must("POST", path+"/send-manual-message", send, 200)["files"].([]any); len(got) != 1 || got[0].(map[string]any)["id"] != file["id"] { // people send files, too
		t.Errorf("a person sent %v", got)
	}
	s.must("PUT", path+"/mode", `{"mode":"ai"}`, 200)
	other, _ := announce()
	s.late.Store(int64(14 * time.Minute))
	if status, text := put(other, "in time"); status != 200 {
		t.Errorf("an upload after 14 minutes answered %d %s", status, text)
	}
	late, _ := announce()
	s.late.Store(int64(14*time.Minute + 15*time.Minute + 2*time.Second)) // both URLs are good for 15 minutes
	if status, _ := put(late, "late"); status != 403 {
		t.Errorf("an upload after more than 15 minutes answered %d", status)
	}
	if res, _ := s.Do("GET", signed["signedUrl"].(string), ""); res.StatusCode != 403 {
		t.Errorf("a download after more than 15 minutes answered %d", res.StatusCode)
	}
	for _, wrong := range []string{s.open(), path} { // another conversation's, or a name that is not its own
		with := send
		if wrong == path {
			with = strings.Replace(send, "a note.txt\"}", "b.txt\"}", 1)
		}
		if status, _ := s.call("POST", wrong+"/messages", with); status != 400 {
			t.Errorf("%s took %s: %d", wrong, with, status)
		}
		if status, _ := s.call("GET", wrong+"/message-files/"+file["id"].(string)+"/signed-url", ""); wrong != path && status != 404 {
			t.Errorf("%s shows it: %d", wrong, status)
		}
	}
}
