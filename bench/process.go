package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"parley/internal/loopback"
)

// A server is a process under test.
type server struct {
	cmd   *exec.Cmd
	url   string
	pprof string // host:port of its profiles; "" = none
	data  string // folder that goes with it; "" = none
	log   bytes.Buffer
}

// startServer starts this binary with other arguments and waits until it says where it listens.
func startServer(ctx context.Context, args ...string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: exec.CommandContext(ctx, self, args...)}
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = 30 * time.Second
	s.cmd.Stderr = io.MultiWriter(&s.log, os.Stderr) // it warns only of what spoils a measurement
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	scan := bufio.NewScanner(out)
	for scan.Scan() {
		if url, ok := strings.CutPrefix(scan.Text(), "listening: "); ok {
			s.url = url
			return s, nil
		}
	}
	_ = s.cmd.Wait()
	return nil, fmt.Errorf("%s did not start: %s", args[0], s.log.String())
}

func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it is gone if that fails
	err := s.cmd.Wait()
	if s.data != "" {
		err = errors.Join(err, os.RemoveAll(s.data))
	}
	return err
}

// credentials of the API client that the benchmark's hub is started with.
const clientID, clientSecret = "bench", "bench-only-secret"

// Target says which hub is measured.
type Target struct {
	Database string // empty = SQLite
	Redis    string // empty = auto

	data string // of PostgreSQL: the folder with the keys of its secrets, the same for every hub; made by Run
}

// folder is that of the record's keys, and of SQLite the record's: a new one that remove removes, unless Run made one.
func (t Target) folder() (data string, remove func(), err error) {
	if t.data != "" {
		return t.data, func() {}, nil
	}
	data, err = os.MkdirTemp("", "parley-bench-")
	return data, func() { os.RemoveAll(data) }, err
}

// redisFlag names the target's Redis to a process; none = a private one.
func (t Target) redisFlag() []string {
	if t.Redis == "" {
		return nil
	}
	return []string{"--redis", t.Redis}
}

// Name is what tables call the target.
func (t Target) Name() string {
	if t.Database == "" {
		return "SQLite + private Redis"
	}
	return "PostgreSQL + Redis"
}

// startHub starts a hub with limits that the load does not meet, on the record in data; "" = an empty one of SQLite, or the
// target's; more are further flags.
func startHub(ctx context.Context, t Target, data string, more ...string) (*server, *api, error) {
	if data == "" {
		data = t.data
	}
	temporary := data == ""
	if temporary {
		var err error
		if data, err = os.MkdirTemp("", "parley-bench-"); err != nil {
			return nil, nil, err
		}
	}
	profiles, err := loopback.FreeAddress(ctx)
	if err != nil {
		return nil, nil, err
	}
	args := []string{"serve", "--listen", "127.0.0.1:0", "--data", data, "--bootstrap-client", clientID + ":" + clientSecret,
		"--callback-allow", "127.0.0.0/8", "--session-rate", "1e9", "--session-burst", "1000000000", "--session-in-flight", "100000", "--log-level", "warn",
		"--pprof", profiles}
	if t.Database != "" {
		args = append(args, "--database", t.Database)
	}
	args = append(args, t.redisFlag()...)
	s, err := startServer(ctx, append(args, more...)...)
	if err != nil {
		if temporary {
			err = errors.Join(err, os.RemoveAll(data))
		}
		return nil, nil, err
	}
	s.pprof = profiles
	if temporary {
		s.data = data
	}
	a := &api{base: s.url}
	if err := a.login(ctx); err != nil {
		return nil, nil, errors.Join(err, s.stop())
	}
	return s, a, nil
}

// get asks a server for a page.
func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s = %d", url, res.StatusCode)
	}
	return body.String(), nil
}

// counters are a hub's metrics, summed over labels; nil for a server that has none.
type counters map[string]float64

// read is the hub's counters now.
func (s *server) counters(ctx context.Context) counters {
	text, err := get(ctx, s.url+"/metrics")
	if err != nil {
		return nil // a relay
	}
	c := counters{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if at := strings.IndexByte(name, '{'); at >= 0 {
			name = name[:at]
			value = line[strings.LastIndexByte(strings.TrimSpace(line), ' ')+1:]
		}
		if n, err := strconv.ParseFloat(strings.TrimSpace(value), 64); ok && err == nil && strings.HasPrefix(name, "parley_") {
			c[name] += n
		}
	}
	return c
}

// minus is what was counted since.
func (c counters) minus(before counters) counters {
	d := counters{}
	for name, n := range c {
		d[name] = n - before[name]
	}
	return d
}

// per is one counter for each of another; 0 if there was none.
func (c counters) per(name, other string) float64 {
	if c[other] == 0 {
		return 0
	}
	return c[name] / c[other]
}

// residentKiB is the memory of a process after a collection of its garbage: the smallest that the kernel tells within a
// while, since memory is given back bit by bit.
func (s *server) residentKiB(ctx context.Context, settle time.Duration) (float64, error) {
	smallest := 0.0
	for until := time.Now().Add(settle); smallest == 0 || time.Now().Before(until); {
		if _, err := get(ctx, "http://"+s.pprof+"/debug/pprof/heap?gc=1"); err != nil {
			return 0, err
		}
		if err := pause(ctx, settle/8); err != nil {
			return 0, err
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(text)) {
			value, ok := strings.CutPrefix(line, "VmRSS:")
			if !ok {
				continue
			}
			n, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			if err != nil {
				return 0, err
			}
			if smallest == 0 || n < smallest {
				smallest = n
			}
		}
	}
	return smallest, nil
}
