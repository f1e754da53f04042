package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cpuSeconds is how much CPU each part used.
type cpuSeconds struct{ server, store, redis float64 }

func (c cpuSeconds) minus(before cpuSeconds) cpuSeconds {
	return cpuSeconds{c.server - before.server, c.store - before.store, c.redis - before.redis}
}

// per is the CPU for 100,000 messages.
func (c cpuSeconds) per(messages int64) cpuSeconds {
	if messages == 0 {
		return cpuSeconds{}
	}
	f := 100_000 / float64(messages)
	return cpuSeconds{c.server * f, c.store * f, c.redis * f}
}

// A usage is what a server has used and counted so far.
type usage struct {
	cpu     cpuSeconds
	counted counters
}

func (u usage) minus(before usage) usage {
	return usage{u.cpu.minus(before.cpu), u.counted.minus(before.counted)}
}

func (s *server) usage(ctx context.Context) usage {
	return usage{cpuOf(s.cmd.Process.Pid), s.counters(ctx)}
}

// tick is the unit of /proc/PID/stat: USER_HZ is 100 on Linux.
const tick = 1.0 / 100

// cpuOf is the CPU that a server process used so far; its children that are a redis-server, and every process of PostgreSQL
// and Redis on the machine, count apart. Where there is no /proc the figures are zero.
func cpuOf(pid int) cpuSeconds {
	used := cpuSeconds{server: processSeconds(pid)}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return used
	}
	for _, path := range stats {
		name, parent, seconds, ok := readStat(path)
		switch {
		case !ok:
		case name == "redis-server":
			used.redis += seconds
		case name == "postgres":
			used.store += seconds
		case parent == pid:
			used.server += seconds
		}
	}
	return used
}

func processSeconds(pid int) float64 {
	_, _, seconds, _ := readStat(fmt.Sprintf("/proc/%d/stat", pid))
	return seconds
}

// readStat takes name, parent and CPU time out of a stat file (proc(5)).
func readStat(path string) (name string, parent int, seconds float64, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", 0, 0, false
	}
	before, after, found := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	_, name, named := strings.Cut(before, "(")
	if !found || !named || len(fields) < 13 {
		return "", 0, 0, false
	}
	parent, errParent := strconv.Atoi(fields[1])
	user, errUser := strconv.ParseFloat(fields[11], 64)
	system, errSystem := strconv.ParseFloat(fields[12], 64)
	return name, parent, (user + system) * tick, errParent == nil && errUser == nil && errSystem == nil
}
