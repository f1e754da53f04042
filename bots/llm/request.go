package llm

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
)

// defaultMaxTokens is of an answer.
const defaultMaxTokens = 1024

// params are the request for an answer to messages, without tools.
func (b *Bot) params(messages []openai.ChatCompletionMessageParamUnion) openai.ChatCompletionNewParams {
	model := &b.config.Settings.Model
	p := openai.ChatCompletionNewParams{Model: model.Name, Messages: messages,
		StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}}
	if max := openai.Int(cmp.Or(model.MaxTokens, defaultMaxTokens)); namesCompletionTokens(b.config.Settings.URL) {
		p.MaxCompletionTokens = max
	} else {
		p.MaxTokens = max
	}
	if model.Temperature != 0 {
		p.Temperature = openai.Float(model.Temperature)
	}
	return p
}

// namesCompletionTokens says whether an endpoint is one of the vendor's, whose newer models refuse max_tokens. Other programs may not know
// max_completion_tokens, and an unknown limit is no limit.
func namesCompletionTokens(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	host := u.Hostname()
	return host == "openai.com" || strings.HasSuffix(host, ".openai.com") || strings.HasSuffix(host, ".openai.azure.com")
}

// send makes the one request. The body of res is bounded; err is a [statusError], or says why there is no answer.
func (b *Bot) send(ctx context.Context, params openai.ChatCompletionNewParams) (stream *ssestream.Stream[openai.ChatCompletionChunk], res *http.Response, err error) {
	settings := &b.config.Settings
	// Not [openai.NewClient]: it would send the keys and headers that the hub's environment names to whatever endpoint a tenant does.
	options := []option.RequestOption{option.WithBaseURL(settings.URL), option.WithHTTPClient(b.client), option.WithMaxRetries(0),
		option.WithMiddleware(receive), option.WithResponseInto(&res)}
	if settings.Model.Key != "" {
		options = append(options, option.WithAPIKey(settings.Model.Key))
	}
	for _, h := range settings.Headers {
		options = append(options, option.WithHeader(h.Name, h.Value))
	}
	if u, err := url.Parse(settings.URL); err == nil { // the library drops the query, in which some endpoints want their version
		for name, values := range u.Query() {
			for _, v := range values {
				options = append(options, option.WithQueryAdd(name, v))
			}
		}
	}
	completions := openai.NewChatCompletionService(options...)
	stream = completions.NewStreaming(ctx, params)
	return stream, res, stream.Err()
}

// receive takes an answer in place of the library, which would read a body of any size and quote it in its errors.
func receive(req *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	res, err := next(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		_ = res.Body.Close()
		return nil, statusError(res.StatusCode)
	}
	res.Body = &body{ReadCloser: res.Body, left: maxAnswer}
	return res, nil
}
