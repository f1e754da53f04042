package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley"
	"parley/configs"
	"parley/store/storetest"
)

// A parrot is a receiver and a token URL that fail, and repeat in their answers everything they were told.
type parrot struct {
	*httptest.Server
	mu     sync.Mutex
	tokens int
	heard  map[string]int // callbacks by path
	basic  chan struct{}  // closed when a callback with Basic came
}

func newParrot(t *testing.T) *parrot {
	p := &parrot{heard: map[string]int{}, basic: make(chan struct{})}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// ServeHTTP fails the first token call, refuses the first token, and every callback.
func (p *parrot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.URL.Path == "/token" {
		if p.tokens++; p.tokens > 1 {
			fmt.Fprintf(w, `{"t":"planted-token-%d"}`, p.tokens)
			return
		}
		body := make([]byte, 4096)
		n, _ := r.Body.Read(body)
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "what is %s %v %s", r.URL, r.Header, body[:n])
		return
	}
	p.heard[r.URL.Path]++
	status := http.StatusUnprocessableEntity
	if p.heard[r.URL.Path] == 1 {
		status = http.StatusUnauthorized
	}
	user, password, ok := r.BasicAuth()
	w.WriteHeader(status)
	fmt.Fprintf(w, "what is %s %v %s %s", r.URL, r.Header, user, password)
	if ok {
		select {
		case <-p.basic:
		default:
			close(p.basic)
		}
	}
}

// A secret in any field that takes one is in no log line, no error, no row, no file, no metric and no answer of the API,
// though everybody who was told it repeats it.
func TestPlantedSecretsStayHidden(t *testing.T) {
	for _, name := range []string{"embedded", "servers"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			record := configs.Store{Data: t.TempDir()}
			args := []string{"--listen", "127.0.0.1:0", "--data", record.Data, "--bootstrap-client", bootstrap, "--callback-allow", "127.0.0.0/8", "--log-level", "debug"}
			if name == "servers" {
				record.Database = storetest.PostgresURL(t)
				args = append(args, "--database", record.Database)
			}
			hub, parrot, ctx := startProcess(t, nil, args...), newParrot(t), t.Context()
			c, err := login(ctx, hub.url)
			if err != nil {
				t.Fatal(err)
			}
			s := c.setUp(t, parrot.URL, "hidden") // with a Basic password
			certificate, key := certificateAndKey(t)
			oauth2 := object{"name": "oauth2", "type": "oauth2", "oauth2": object{"tokenRequestUrl": parrot.URL + "/token?key=planted-in-token-url", "accessTokenPath": "$.t",
				"payload": `{"secret":"planted-in-payload \"x\""}`, "headers": []object{{"name": "X-Key", "value": "planted-in-token-header"}}},
				"tls": object{"certificate": certificate, "privateKey": key}}
			auth := c.create(t, "authentications", oauth2)
			bot := object{"name": "hidden custom_bot", "roles": []object{{"name": "custom_bot", "version": "v3", "callback": parrot.URL + "/custom_bot?key=planted-in-callback",
				"notificationEmail": "ops@example.org", "headers": []object{{"name": "X-Key", "value": "planted-in-header"}}, "authentication": object{"id": auth}}}}
			if err := c.call(ctx, http.MethodPut, conversationmgrBase+"/clientapplications/"+s.bot, bot, http.StatusNoContent, nil); err != nil {
				t.Fatal(err)
			}
			keyLine := strings.Split(key, "\n")[1]
			var shown strings.Builder // what the API says
			for _, wrong := range []object{
				{"name": "x", "type": "tls", "tls": object{"certificate": certificate, "privateKey": strings.Replace(key, "M", "planted", 1)}},
				{"name": "x", "type": "oauth2", "oauth2": object{"tokenRequestUrl": "http://10.0.0.1/?planted-in-token-url", "accessTokenPath": "$.t", "payload": "planted-in-payload"}},
				{"name": "x", "type": "basic", "basicAuth": object{"username": "u", "password": "planted-password"}, "oauth2": oauth2["oauth2"]},
			} {
				err := c.call(ctx, http.MethodPost, conversationmgrBase+"/authentications", wrong, http.StatusCreated, nil)
				if err == nil || !strings.Contains(err.Error(), "400-152") {
					t.Errorf("create %v = %v, want 400-152", wrong, err)
				}
				fmt.Fprintln(&shown, err)
			}
			for range 2 {
				if _, _, err := c.post(ctx, s.begin(rand.Text(), "Where is my parcel?", "anna@example.org")); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case <-parrot.basic: // the bot's deliveries were given up, and the agent is asked
			case <-time.After(30 * time.Second):
				t.Fatalf("the agent was not asked; heard %v, %d token calls:\n%s", parrot.heard, parrot.tokens, hub.log.String())
			}
			var read object
			if err := c.call(ctx, http.MethodGet, conversationmgrBase+"/authentications/"+auth, nil, http.StatusOK, &read); err != nil {
				t.Fatal(err)
			}
			if tls, _ := read["tls"].(object); tls["privateKey"] != "********" || tls["certificate"] != certificate {
				t.Errorf("tls is read as %v, want the key masked", tls)
			}
			for _, kind := range []string{"payload", "privateKey"} { // reads show headers and URLs (reference section 2)
				fmt.Fprintln(&shown, kind, fmt.Sprint(read["oauth2"].(object)[kind], read["tls"].(object)[kind]))
			}
			_, metrics := get(t, http.MethodGet, hub.url+"/metrics")
			if err := hub.terminate(); err != nil {
				t.Error(err)
			}
			dump := dumpOf(t, record)
			if strings.Count(dump, "[cut]") < 3 || !strings.Contains(dump, "the token URL answered 400") || !strings.Contains(dump, "the receiver answered 422") {
				t.Error("the dump has no attempts that were echoed, so it shows nothing")
			}
			secrets := append([]string{"planted", keyLine, "aHViOnBsYW50ZWQtcGFzc3dvcmQ"}, signingSecrets(t, record)...)
			if len(secrets) < 4 {
				t.Fatal("no role has a signing secret")
			}
			for where, text := range map[string]string{"the log": hub.log.String(), "the dump": dump, "the metrics": metrics, "the API": shown.String()} {
				for _, secret := range secrets {
					if i := strings.Index(text, secret); i >= 0 {
						t.Errorf("%s: %q", where, text[max(0, i-200):min(len(text), i+100)])
					}
				}
			}
		})
	}
}

// certificateAndKey are of a client, in PEM.
func certificateAndKey(t *testing.T) (certificate, private string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hub"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

// signingSecrets are those of every role in the record of a hub that has ended.
func signingSecrets(t *testing.T, record configs.Store) (secrets []string) {
	t.Helper()
	s, _, err := openStore(t.Context(), &record, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.View(t.Context(), func(tx parley.Tx) error {
		all, _, err := tx.Applications().List(t.Context(), parley.DefaultTenant, 0, 75)
		for _, a := range all {
			for _, r := range a.Roles {
				if r.Signing.Secret != "" {
					secrets = append(secrets, strings.TrimPrefix(r.Signing.Secret, "whsec_"))
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return secrets
}

// dumpOf is everything that is in a record: the files of the data directory but the keys, or the rows of every table.
func dumpOf(t *testing.T, record configs.Store) string {
	t.Helper()
	var dump strings.Builder
	err := filepath.WalkDir(record.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		dump.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if record.Database == "" {
		return dump.String()
	}
	db, err := sql.Open("pgx", record.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	each := func(query string, visit func(text string)) {
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			visit(text)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	var tables []string
	each("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema()", func(table string) { tables = append(tables, table) })
	for _, table := range tables {
		each("SELECT t::text FROM "+table+" t", func(row string) {
			dump.WriteString(row + "\n")
			for field := range strings.SplitSeq(row, ",") { // columns of bytes are written in hexadecimal
				if _, digits, ok := strings.Cut(field, `\\x`); ok {
					text, _ := hex.DecodeString(strings.Trim(digits, `")`))
					dump.Write(append(text, '\n'))
				}
			}
		})
	}
	return dump.String()
}
