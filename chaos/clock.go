package chaos

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A hub's clock can be set by building the program with another time.Now: the standard library and the program get a few lines more,
// through the overlay of the go command, and not a byte of the repository is another. As when somebody sets the clock of a machine, the time
// of day jumps, and the monotonic clock, by which timers and what was measured since go, does not.

// clockMain is the program's part: the environment says where its clock begins, descriptor 3 what it is set to.
//
//go:embed testdata/clock.go.txt
var clockMain []byte

// now is what time.Now becomes.
const now = `// Jumped is by how many seconds the time of day is off.
var Jumped atomic.Int64

func Now() Time {
	t := trueNow()
	if jumped := Jumped.Load(); t.wall&hasMonotonic != 0 {
		t.wall += uint64(jumped) << nsecShift
	} else {
		t.ext += jumped
	}
	return t
}

func trueNow() Time {`

// buildClock builds the program so that its clock can be set. It needs the go command, as [Build] does, and minutes when it is done first: all
// there is of the standard library is compiled anew.
func buildClock(ctx context.Context, dir string) (string, error) {
	root, overlay, err := overlayClock(ctx, dir)
	if err != nil {
		return "", err
	}
	return buildProgram(ctx, root, filepath.Join(dir, "parley-clock"), "-overlay", overlay)
}

// overlayClock writes what is to replace files of the standard library and of the program, whose root it returns, and the list of that.
func overlayClock(ctx context.Context, dir string) (root, overlay string, err error) {
	goroot, err := goCommand(ctx, "", "env", "GOROOT")
	if err != nil {
		return "", "", err
	}
	if root, err = goCommand(ctx, "", "list", "-m", "-f", "{{.Dir}}"); err != nil {
		return "", "", err
	}
	std := filepath.Join(goroot, "src", "time", "time.go")
	source, err := os.ReadFile(std)
	if err != nil {
		return "", "", err
	}
	text := strings.Replace(string(source), "\nfunc Now() Time {", "\n"+now, 1)
	if text = strings.Replace(text, "\nimport (", "\nimport (\n\t\"sync/atomic\"", 1); !strings.Contains(text, "trueNow") || !strings.Contains(text, "sync/atomic") {
		return "", "", errors.New("time.Now is not where it was in Go 1.26")
	}
	files := map[string]string{std: filepath.Join(dir, "time.go"), filepath.Join(root, "cmd", "parley", "clock.go"): filepath.Join(dir, "clock.go")}
	list, err := json.Marshal(map[string]any{"Replace": files})
	if err != nil {
		return "", "", err
	}
	for name, data := range map[string][]byte{"time.go": []byte(text), "clock.go": clockMain, "overlay.json": list} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return "", "", err
		}
	}
	return root, filepath.Join(dir, "overlay.json"), nil
}

// goCommand runs the go command in a folder, and returns what it prints.
func goCommand(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("go %s: %w: %s", args[0], err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// A clock is what the hubs of a world take for the time of day. It is set by one goroutine.
type clock struct {
	off  time.Duration // whole seconds
	tell map[*process]dial
}

// A dial is how a running hub is told.
type dial struct {
	file *os.File
	skew time.Duration // of this hub
}

// give lets a command that is about to be started have the clock, ahead of it by skew; given is to be called with its process, nil if it did not
// start.
func (c *clock) give(cmd *exec.Cmd, skew time.Duration) (given func(*process), err error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = []*os.File{read} // descriptor 3
	cmd.Env = append(cmd.Env, fmt.Sprintf("PARLEY_CLOCK=%d", int((c.off+skew).Seconds())))
	return func(p *process) {
		read.Close()
		if p == nil {
			write.Close()
			return
		}
		c.tell[p] = dial{write, skew}
	}, nil
}

// set sets the clock of every hub that runs.
func (c *clock) set(off time.Duration) error {
	c.off = off
	for p, d := range c.tell {
		if _, err := fmt.Fprintln(d.file, int((off + d.skew).Seconds())); err != nil {
			return fmt.Errorf("set the clock of process %d: %w", p.cmd.Process.Pid, err)
		}
	}
	return nil
}

// close ends the clock.
func (c *clock) close() {
	for _, d := range c.tell {
		d.file.Close()
	}
}
