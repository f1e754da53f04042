package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// A volume is a small file system of its own that can be filled.
type volume struct {
	dir  string
	sudo bool
}

// newVolume mounts one of that many MiB. Who may not mount gets [ErrMissing].
func newVolume(ctx context.Context, dir string, mib int) (*volume, error) {
	v := &volume{dir: dir, sudo: os.Getuid() != 0}
	if out, err := v.root(ctx, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm,mode=0700,uid=%d,gid=%d", mib, os.Getuid(), os.Getgid()), "chaos", dir); err != nil {
		return nil, fmt.Errorf("mount a tmpfs: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return v, nil
}

func (v *volume) root(ctx context.Context, name string, args ...string) ([]byte, error) {
	if v.sudo {
		name, args = "sudo", append([]string{"-n", name}, args...)
	}
	return exec.CommandContext(ctx, name, args...).CombinedOutput()
}

func (v *volume) ballast() string { return filepath.Join(v.dir, "ballast") }

// fill takes all space that is left.
func (v *volume) fill() error {
	f, err := os.Create(v.ballast())
	if err != nil {
		return err
	}
	defer f.Close()
	zeros := make([]byte, 64<<10)
	for size := len(zeros); size > 0; {
		if _, err := f.Write(zeros[:size]); errors.Is(err, syscall.ENOSPC) {
			size /= 2 // down to the last bytes
		} else if err != nil {
			return err
		}
	}
	return nil
}

// free gives the space back.
func (v *volume) free() error { return os.Remove(v.ballast()) }

func (v *volume) unmount(ctx context.Context) error {
	if out, err := v.root(ctx, "umount", v.dir); err != nil {
		return fmt.Errorf("umount: %w: %s", err, out)
	}
	return nil
}
