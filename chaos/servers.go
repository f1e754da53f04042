package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"parley/internal/loopback"
)

// A redisServer is a private Redis without a file: killed, it has forgotten everything.
type redisServer struct {
	program string
	address string
	dir     string
	*process
}

// ErrMissing says that a program of somebody else's is not installed.
var ErrMissing = errors.New("not installed; scripts/services install does that")

func newRedis(ctx context.Context, dir string) (*redisServer, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redis-server: %w", ErrMissing)
	}
	address, err := loopback.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	r := &redisServer{program: program, address: address, dir: dir}
	return r, r.start(ctx)
}

func (r *redisServer) start(ctx context.Context) error {
	_, port, err := net.SplitHostPort(r.address)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), r.program, "--bind", "127.0.0.1", "--port", port, "--dir", r.dir, "--save", "", "--appendonly", "no", "--daemonize", "no")
	if r.process, err = launch(cmd); err != nil {
		return err
	}
	go r.wait()
	return await(ctx, "redis-server", r.process, func() error { return r.command(ctx, "PING") })
}

// flush makes it forget everything.
func (r *redisServer) flush(ctx context.Context) error { return r.command(ctx, "FLUSHALL") }

// command sends a command without arguments, in Redis's inline form.
func (r *redisServer) command(ctx context.Context, name string) error {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", r.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, name+"\r\n"); err != nil {
		return err
	}
	answer := make([]byte, 64)
	n, err := conn.Read(answer)
	if err == nil && answer[0] != '+' {
		err = fmt.Errorf("%s: redis answered %q", name, answer[:n])
	}
	return err
}

// await asks a process that was just started until it answers.
func await(ctx context.Context, name string, p *process, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended with %d: %s", name, p.code, p.log.String())
		default:
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			p.kill()
			return fmt.Errorf("%s does not start: %w: %s", name, err, p.log.String())
		}
	}
}

// A postgresServer is a private PostgreSQL that may be stopped and started. Durability is as in production.
type postgresServer struct {
	bin        string // folder of its programs
	dir        string // of everything it has
	address    string
	password   string
	credential *syscall.Credential // of whom it runs as; nil = us
	*process
}

func newPostgres(ctx context.Context, dir string) (*postgresServer, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // Debian keeps them out of PATH
	if err != nil || len(found) == 0 {
		path, err := exec.LookPath("initdb")
		if err != nil {
			return nil, fmt.Errorf("postgresql: %w", ErrMissing)
		}
		found = []string{path}
	}
	address, err := loopback.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	p := &postgresServer{bin: filepath.Dir(slices.Max(found)), dir: dir, address: address, password: fmt.Sprintf("chaos-%x", rand.Uint64())}
	if os.Getuid() == 0 { // it refuses to run as root
		if p.credential, err = credentialOf("postgres"); err != nil {
			return nil, err
		}
		if err := os.Chown(dir, int(p.credential.Uid), int(p.credential.Gid)); err != nil {
			return nil, err
		}
	}
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(p.password), 0o600); err != nil {
		return nil, err
	}
	if p.credential != nil {
		if err := os.Chown(secret, int(p.credential.Uid), int(p.credential.Gid)); err != nil {
			return nil, err
		}
	}
	init := p.command(ctx, "initdb", "-D", filepath.Join(dir, "data"), "-U", "parley", "--auth=scram-sha-256", "--pwfile="+secret,
		"--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
	if out, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return p, p.start(ctx)
}

func credentialOf(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("the user that PostgreSQL runs as: %w", err)
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(errUID, errGID)
}

// command is one of PostgreSQL's programs, run as its user.
func (p *postgresServer) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, name), args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "PGPASSWORD="+p.password)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.credential}
	return cmd
}

func (p *postgresServer) start(ctx context.Context) error {
	_, port, err := net.SplitHostPort(p.address)
	if err != nil {
		return err
	}
	if p.process, err = launch(p.command(context.WithoutCancel(ctx), "postgres", "-D", filepath.Join(p.dir, "data"), "-p", port, "-k", p.dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200", "-c", "log_min_messages=fatal")); err != nil {
		return err
	}
	go p.wait()
	return await(ctx, "postgres", p.process, func() error {
		out, err := p.command(ctx, "pg_isready", "-h", "127.0.0.1", "-p", port, "-t", "2").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// crash stops it at once, without a checkpoint, as its processes' death would: it recovers from its log when it starts.
func (p *postgresServer) crash() error { return p.signal(syscall.SIGQUIT, startLimit) }

// create makes an empty database and returns its URL, reached through an address.
func (p *postgresServer) create(ctx context.Context, name string) error {
	_, port, _ := net.SplitHostPort(p.address)
	if out, err := p.command(ctx, "createdb", "-h", "127.0.0.1", "-p", port, "-U", "parley", name).CombinedOutput(); err != nil {
		return fmt.Errorf("createdb: %w: %s", err, out)
	}
	return nil
}

// url names a database of it, reached through an address: its own, or a proxy's.
func (p *postgresServer) url(address, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword("parley", p.password), Host: address, Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}
