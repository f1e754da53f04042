package chaos

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"parley/internal/loopback"
)

// startLimit is how long a process may take to say that it is there; longer is a failure of its own.
const startLimit = 30 * time.Second

// A tail keeps the end of what a process says. Safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	text bytes.Buffer
}

const maxTail = 64 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text.Len()+len(p) > maxTail {
		t.text.Next(t.text.Len() / 2)
	}
	return t.text.Write(p)
}

// String is the very end of it.
func (t *tail) String() string {
	const shown = 1500
	t.mu.Lock()
	defer t.mu.Unlock()
	text := t.text.String()
	return text[max(0, len(text)-shown):]
}

// A process is one that the campaign started and may kill.
type process struct {
	cmd    *exec.Cmd
	log    tail
	exited chan struct{} // closed when it is gone and waited for
	code   int           // of its exit; valid then
}

// launch starts a command in a group of its own; its owner must call wait.
func launch(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan struct{})}
	cmd.Stderr = &p.log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // a Ctrl-C is for the campaign, which then stops it in order
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

// wait waits for the end; called once, by its owner.
func (p *process) wait() {
	_ = p.cmd.Wait() // the exit code says it
	p.code = p.cmd.ProcessState.ExitCode()
	close(p.exited)
}

// kill ends the process as a crash does, and returns when it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error means that it is gone
	<-p.exited
}

// signal sends a signal and waits for the end, at most for the limit; then it kills.
func (p *process) signal(s os.Signal, limit time.Duration) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-p.exited:
		return nil
	case <-t.C:
		p.kill()
		return fmt.Errorf("%s did not end within %v of %v: %s", p.cmd.Path, limit, s, p.log.String())
	}
}

// A hub is one process of the program under test, killed and started again under the same settings.
type hub struct {
	name   string
	binary string // path of the built program
	front  *Proxy // what clients connect to
	args   []string
	temp   string        // its temporary folder: a hub that is killed leaves the socket of its Redis there
	url    string        // behind the proxy, for the campaign's own questions
	clock  *clock        // what it takes for the time of day; nil = the machine's
	skew   time.Duration // of this hub against that clock
	*process
}

// newHub gives a hub its address and a proxy in front of it.
func newHub(ctx context.Context, name, binary, temp string, args ...string) (*hub, error) {
	address, err := loopback.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	front, err := NewProxy(ctx, address)
	if err != nil {
		return nil, err
	}
	return &hub{name: name, binary: binary, temp: temp, front: front, url: "http://" + address,
		args: append([]string{"serve", "--listen", address}, args...)}, nil
}

// Build builds the program under test into a folder.
func Build(ctx context.Context, root, dir string) (string, error) {
	return buildProgram(ctx, root, dir+"/parley")
}

// buildProgram builds the program as the tests want it, with further flags of go build.
func buildProgram(ctx context.Context, root, path string, flags ...string) (string, error) {
	args := append([]string{"build", "-o", path}, strings.Fields(os.Getenv("PARLEY_TEST_BUILD"))...)
	if _, err := goCommand(ctx, root, append(append(args, flags...), "./cmd/parley")...); err != nil {
		return "", err
	}
	return path, nil
}

// start starts the hub and says how long it took to be ready, counted from before the process existed.
func (h *hub) start(ctx context.Context) (ready time.Duration, err error) {
	began := time.Now()
	cmd := exec.CommandContext(context.WithoutCancel(ctx), h.binary, h.args...) // ended by kill or stop
	cmd.Env = append(os.Environ(), "TMPDIR="+h.temp)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	given := func(*process) {}
	if h.clock != nil {
		if given, err = h.clock.give(cmd, h.skew); err != nil {
			return 0, err
		}
	}
	p, err := launch(cmd)
	given(p)
	if err != nil {
		return 0, err
	}
	h.process = p
	listening := make(chan struct{})
	go func() {
		scan := bufio.NewScanner(out)
		said := false
		for scan.Scan() {
			if !said && strings.HasPrefix(scan.Text(), "listening: ") {
				said = true
				close(listening)
			}
		}
		p.wait()
	}()
	select {
	case <-listening:
	case <-p.exited:
		return 0, fmt.Errorf("hub %s ended with %d: %s", h.name, p.code, p.log.String())
	case <-time.After(startLimit):
		p.kill()
		return 0, fmt.Errorf("hub %s does not start: %s", h.name, p.log.String())
	}
	if err := h.awaitReady(ctx); err != nil {
		return 0, fmt.Errorf("hub %s: %w: %s", h.name, err, p.log.String())
	}
	return time.Since(began), nil
}

// awaitReady asks /readyz until it says 200.
func (h *hub) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		if res, err := h.readyz(ctx); err == nil && res.StatusCode == http.StatusOK {
			return nil
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("not ready after %v: %w", startLimit, err)
		}
	}
}

// readyz asks whether the hub is ready; there is nothing in the answer but its head.
func (h *hub) readyz(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url+"/readyz", http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := plainClient.Do(req)
	if err == nil {
		res.Body.Close()
	}
	return res, err
}

// time is what the hub takes for the time of day, in whole seconds.
func (h *hub) time(ctx context.Context) (time.Time, error) {
	res, err := h.readyz(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return http.ParseTime(res.Header.Get("Date"))
}

// stopLimit is more than the hub's --grace.
const stopLimit = 40 * time.Second

// stop ends the hub in order.
func (h *hub) stop() error {
	if h.process == nil {
		return nil
	}
	defer func() { h.process = nil }()
	if err := h.signal(syscall.SIGTERM, stopLimit); err != nil {
		return err
	}
	if h.code != 0 {
		return fmt.Errorf("hub %s ended with %d: %s", h.name, h.code, h.log.String())
	}
	return nil
}

// pause waits, or until ctx ends, and then says why.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
