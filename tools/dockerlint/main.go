// Command dockerlint reads Dockerfiles with the checks of `docker build --check` (BuildKit's own), and with two of
// ours that a stock linter cannot know: the image runs as a numbered user other than root, and says how its health is
// told. It needs no engine and no network, so it runs where the image cannot be built.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
)

func main() {
	bad := false
	for _, path := range os.Args[1:] {
		problems, err := lint(context.Background(), path)
		if err != nil {
			problems = append(problems, err.Error())
		}
		for _, p := range problems {
			fmt.Fprintf(os.Stderr, "%s: %s\n", path, p)
			bad = true
		}
	}
	if bad || len(os.Args) < 2 {
		os.Exit(1)
	}
}

func lint(ctx context.Context, path string) ([]string, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	platform := platforms.MustParse("linux/amd64")
	sources := llb.NewSourceMap(nil, path, "Dockerfile", source)
	sources.Definition = &llb.Definition{} // says where the file came from in a build; the linter copies it unasked
	results, err := dockerfile2llb.DockerfileLint(ctx, source, dockerfile2llb.ConvertOpt{
		SourceMap:      sources,
		MetaResolver:   anyImage{},
		TargetPlatform: &platform,
	})
	if err != nil {
		return nil, err
	}
	var problems []string
	for _, w := range results.Warnings {
		line := int32(0)
		if ranges := w.Location.GetRanges(); len(ranges) > 0 {
			line = ranges[0].GetStart().GetLine()
		}
		problems = append(problems, fmt.Sprintf("line %d: %s: %s (%s)", line, w.RuleName, w.Detail, w.URL))
	}
	if results.Error != nil {
		return append(problems, results.Error.Message), nil
	}
	own, err := ownRules(source)
	return append(problems, own...), err
}

// ownRules looks at the last stage, which is the image that is shipped.
func ownRules(source []byte) ([]string, error) {
	tree, err := parser.Parse(bytes.NewReader(source))
	if err != nil {
		return nil, err
	}
	stages, _, err := instructions.Parse(tree.AST, nil)
	if err != nil {
		return nil, err
	}
	user, healthcheck := "", false
	for _, c := range stages[len(stages)-1].Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.HealthCheckCommand:
			healthcheck = true
		}
	}
	var problems []string
	// A name cannot be checked by Kubernetes' runAsNonRoot, a number can.
	uid, _, _ := strings.Cut(user, ":")
	if n, err := strconv.Atoi(uid); err != nil || n == 0 {
		problems = append(problems, fmt.Sprintf("the image runs as user %q; say USER with a number other than 0", user))
	}
	if !healthcheck {
		problems = append(problems, "the image has no HEALTHCHECK")
	}
	return problems, nil
}

// anyImage says of every base image that it exists and is empty; the checks need no more.
type anyImage struct{}

func (anyImage) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	config := []byte(`{"architecture":"amd64","os":"linux","config":{"WorkingDir":"/"}}`)
	return ref, digest.FromBytes(config), config, nil
}

func (a anyImage) ResolveSourceMetadata(ctx context.Context, op *pb.SourceOp, opt sourceresolver.Opt) (*sourceresolver.MetaResponse, error) {
	_, d, config, _ := a.ResolveImageConfig(ctx, op.Identifier, opt)
	return &sourceresolver.MetaResponse{Op: op, Image: &sourceresolver.ResolveImageResponse{Digest: d, Config: config}}, nil
}
