// Package embed asks an OpenAI-compatible endpoint for embeddings: vectors whose angle says how near in meaning texts are. It keeps the key,
// and what the endpoint says of errors, out of errors of its own.
package embed

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"parley/egress"
)

// Config says where to ask. All but Key are required.
type Config struct {
	Client *http.Client // goes only where the egress guard permits
	URL    string       // of the endpoint, up to the version: https://api.openai.com/v1
	Model  string
	Key    string // a secret; "" = none is sent
}

// A Client asks for embeddings. Safe for concurrent use.
type Client struct {
	service openai.EmbeddingService
	model   string
}

// maxAnswer bounds an answer, in bytes: 256 vectors of 4,096 numbers of 20 digits fit.
const maxAnswer = 32 << 20

// New returns a client. It asks nothing yet.
func New(c Config) *Client {
	// Not [openai.NewClient]: it would send the keys and headers that the hub's environment names.
	options := []option.RequestOption{option.WithBaseURL(c.URL), option.WithHTTPClient(egress.Straight(c.Client)), option.WithMaxRetries(0), option.WithMiddleware(bounded)}
	if c.Key != "" {
		options = append(options, option.WithAPIKey(c.Key))
	}
	return &Client{service: openai.NewEmbeddingService(options...), model: c.Model}
}

// bounded cuts answers, and takes those that are no success in place of the library, which would quote them in its errors.
func bounded(r *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	res, err := next(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		_ = res.Body.Close()
		return nil, statusError(res.StatusCode)
	}
	res.Body = http.MaxBytesReader(nil, res.Body, maxAnswer)
	return res, nil
}

// A statusError is an answer with a status that is no success.
type statusError int

func (e statusError) Error() string {
	return fmt.Sprintf("the embeddings endpoint answered with status %d", int(e))
}

// Embed returns a vector for each text, in order. None of the texts may be empty.
func (c *Client) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	answer, err := c.service.New(ctx, openai.EmbeddingNewParams{Model: c.model, Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: texts}})
	if status, ok := errors.AsType[statusError](err); ok {
		return nil, status
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("ask for embeddings: %w", ctx.Err())
	}
	if err != nil {
		return nil, fmt.Errorf("the embeddings endpoint cannot be asked, or its answer not be read: %w", egress.Plain(err))
	}
	vectors := make([][]float32, len(texts))
	for _, one := range answer.Data {
		if one.Index < 0 || one.Index >= int64(len(texts)) || len(one.Embedding) == 0 {
			return nil, errShape
		}
		vector := make([]float32, len(one.Embedding))
		for i, f := range one.Embedding {
			vector[i] = float32(f)
		}
		vectors[one.Index] = vector
	}
	for _, v := range vectors {
		if len(v) == 0 || len(v) != len(vectors[0]) {
			return nil, errShape
		}
	}
	return vectors, nil
}

var errShape = errors.New("the embeddings endpoint did not answer with a vector for each text")
