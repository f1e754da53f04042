package broker_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"parley"
	"parley/directory"
	"parley/rest/broker"
	"parley/rest/resttest"
)

var administrator = directory.Administrator(parley.DefaultTenant)

// statuses provoke every status of every operation.
type statuses struct {
	*stage
	session, ended             said
	foreign                    string // a key of another environment
	spent                      string // a key that has had all turns that its rate lets pass
	adminToken, connectorToken string
	client                     url.Values
}

// Operations to which a status of the document cannot happen: the vendor declares the same for all.
var without = map[string]string{
	"startConversation 409": "nothing is there yet to be in conflict with", "startConversationOld 409": "the same", "startConversationSlash 409": "the same", "startConversationOldSlash 409": "the same",
	"rateAnswer 409": "ratings replace each other", "readHistory 400": "it has nothing to be malformed", "readHistory 409": "it only reads", "readHistory 422": "it only reads",
	"readAPIKey 400": "it has nothing to be malformed", "readAPIKey 409": "it only reads", "readAPIKey 422": "it only reads",
}

// Every status that the document declares for an operation is answered by it (reference 11), with a body that is as documented.
func TestEveryStatusOfEveryOperation(t *testing.T) {
	s := newStatuses(t)
	try := func(method, path string, op *openapi3.Operation, status int) {
		s.answers(method, op.OperationID, path, status)
	}
	resttest.EachStatus(t, broker.Document, without, false, try)
	if res, text := s.Do("POST", s.turns(), `{"text":"fail internal"}`, s.headers("Api-Key", s.newKey(parley.DefaultTenant))...); res.StatusCode != 500 || !strings.Contains(text, `"code":"INTERNAL"`) {
		t.Errorf("a bot that the hub could not ask answered %d %s", res.StatusCode, text)
	}
	// The statuses that have several codes.
	for _, refused := range []struct{ method, target, body, header, code string }{
		{"POST", s.turns() + "?test=maybe", `{"text":"x"}`, "", "INVALID_PARAMETER"}, {"POST", s.turns(), `{"text":"x"}`, "Locale", "MISSING_HEADER"}, {"POST", s.turns(), `{}`, "", "EMPTY_TURN"},
		{"PUT", s.turns(), `{}`, "", "METHOD_NOT_ALLOWED"}, {"POST", s.turns() + "/" + s.bot.ID.String(), `{"text":"x"}`, "", "SESSION_NOT_FOUND"},
	} {
		if res, text := s.Do(refused.method, refused.target, refused.body, s.headers(refused.header, "")...); !strings.Contains(text, `"code":"`+refused.code+`"`) {
			t.Errorf("%s %s %s answered %d %s, want %s", refused.method, refused.target, refused.body, res.StatusCode, text, refused.code)
		}
	}
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	resttest.EachStatus(t, broker.Document, without, true, try)
	s.Codes["TURN_IN_PROGRESS"] = true // see TestPlaceIsWaitedFor
	for _, code := range resttest.Document(t, broker.Document).Components.Schemas["Problem"].Value.Properties["code"].Value.Enum {
		if !s.Codes[code.(string)] {
			t.Errorf("no error has the code %s", code)
		}
	}
}

func newStatuses(t *testing.T) *statuses {
	t.Helper()
	s := &statuses{stage: newStage(t)}
	s.session, s.ended = s.turn("", `{"text":"hello"}`, 200, "Business-Key", "4711"), s.turn("", `{"text":"bye"}`, 200)
	client, secret, err := s.admin.CreateClient(t.Context(), administrator, parley.APIClient{Scopes: []string{parley.ScopeBroker}})
	if err != nil {
		t.Fatal(err)
	}
	s.client = url.Values{"grant_type": {"client_credentials"}, "client_id": {client.PublicID}, "client_secret": {secret}}
	s.foreign, s.spent = s.newKey(s.newEnvironment().ID), s.newKey(parley.DefaultTenant)
	s.adminToken, s.connectorToken = s.token(parley.DefaultTenant, parley.ScopeAdmin), s.token(parley.DefaultTenant, parley.ScopeBroker)
	s.stands.Store(new(time.Now())) // or a slow machine gives keys more turns meanwhile
	for range ofOneKey {
		s.turn("", `{"text":"hello"}`, 200, "Api-Key", s.spent)
	}
	return s
}

// answers calls an operation so that it answers with a status.
func (s *statuses) answers(method, operation, path string, status int) {
	s.t.Helper()
	bot, session, organisation := s.bot.ID.String(), s.session.SessionCode, parley.DefaultOrganisation.String()
	key, token, body, kind := s.key, "", `{"text":"hello"}`, "application/json"
	if status < 500 && status != 401 {
		key = s.newKey(parley.DefaultTenant) // with all its turns
	}
	good := map[string]string{"rateConversation": `{"evaluation":4}`, "rateAnswer": `{"evaluation":true,"interactionId":"` + s.session.Answers[0].InteractionID + `"}`, "readHistory": "", "readAPIKey": "", "getToken": s.client.Encode()}
	if other, ok := good[operation]; ok {
		body = other
	}
	switch operation {
	case "rateAnswer":
		path += "?requesterId=dana"
	case "readAPIKey":
		key, token = "", "Bearer "+s.adminToken
	case "getToken":
		key, kind = "", "application/x-www-form-urlencoded"
	}
	switch status {
	case 400:
		body = "{"
	case 401:
		key, token = "", ""
		body = strings.Replace(body, "client_secret=", "client_secret=x", 1)
	case 403:
		if key = s.foreign; token != "" {
			token = "Bearer " + s.connectorToken
		}
	case 404:
		bot, organisation = parley.ConsoleApplication.String(), parley.ConsoleApplication.String() // there is something of this id, but neither
	case 409:
		if session = s.ended.SessionCode; operation == "rateConversation" {
			stood := s.stands.Swap(new(s.clock().Add(25 * time.Hour)))
			defer s.stands.Store(stood)
		}
	case 422:
		bad := map[string]string{"rateConversation": `{"evaluation":6}`, "rateAnswer": `{"evaluation":true,"interactionId":"` + s.session.UserInteractionUUID + `"}`}
		if body = bad[operation]; body == "" {
			body = `{"text":"` + strings.Repeat("x", 4097) + `"}`
		}
	case 429:
		key = s.spent
	case 460, 461, 462, 463:
		body = `{"text":"fail ` + string([]parley.TurnFailure{parley.FailureBot, parley.FailureBotSettings, parley.FailureModel, parley.FailureModelRefuses}[status-460]) + `"}`
	}
	target := strings.NewReplacer("{org}", organisation, "{env}", parley.DefaultTenant.String(), "{bot}", bot, "{channel}", s.channel.String(), "{session}", session, "{businessKey}", "4711", "{realm}", organisation).Replace(path)
	res, text := s.Do(method, target, body, "Content-Type", kind, "Api-Key", key, "Authorization", token, "Os", "Windows", "User-Ref", "x", "Locale", "en", "Channel", "default")
	if res.StatusCode != status || status == 500 && !strings.Contains(text, "internal error") {
		s.t.Errorf("%s answered %d %s, want %d", operation, res.StatusCode, text, status)
	}
}
