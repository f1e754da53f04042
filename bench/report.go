package bench

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A Report gathers what was measured, in the order in which it was.
type Report struct {
	order []string
	rows  map[string]*row
}

// A row is one side of one comparison on one target, over all repetitions.
type row struct {
	target, name, side string
	loads              []load
}

func (r *Report) add(t Target, name, side string, l load) {
	if r.rows == nil {
		r.rows = map[string]*row{}
	}
	key := t.Name() + "\x00" + name + "\x00" + side
	if r.rows[key] == nil {
		r.rows[key] = &row{target: t.Name(), name: name, side: side}
		r.order = append(r.order, key)
	}
	r.rows[key].loads = append(r.rows[key].loads, l)
}

// median is of the figure of each repetition, with the smallest and the largest.
func (r *row) median(figure func(load) float64) (middle, low, high float64) {
	values := make([]float64, len(r.loads))
	for i, l := range r.loads {
		values[i] = figure(l)
	}
	slices.Sort(values)
	return values[len(values)/2], values[0], values[len(values)-1]
}

// ratios are of the hub to a baseline, repetition by repetition.
func (r *Report) ratios(hub, base *row, figure func(load) float64) (middle, low, high float64) {
	n := min(len(hub.loads), len(base.loads))
	paired := &row{}
	for i := range n {
		paired.loads = append(paired.loads, load{rate: figure(hub.loads[i]) / figure(base.loads[i])})
	}
	return paired.median(func(l load) float64 { return l.rate })
}

func rateOf(l load) float64 { return l.rate }

// Print writes the tables: absolute figures for orientation, then the ratios, which are the result.
func (r *Report) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s, %s, %d processors\n", time.Now().UTC().Format("2006-01-02"), runtime.Version(), runtime.NumCPU())
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "\ntarget\tcase\tside\tper second (min-max)\tp50 ms\tp99 ms\tserver CPU s/100k\tstore\tRedis")
	for _, key := range r.order {
		x := r.rows[key]
		middle, low, high := x.median(rateOf)
		p50, _, _ := x.median(func(l load) float64 { return milliseconds(percentile(l.latencies, 0.5)) })
		p99, _, _ := x.median(func(l load) float64 { return milliseconds(percentile(l.latencies, 0.99)) })
		server, _, _ := x.median(func(l load) float64 { return l.cpu.server })
		store, _, _ := x.median(func(l load) float64 { return l.cpu.store })
		redis, _, _ := x.median(func(l load) float64 { return l.cpu.redis })
		fmt.Fprintf(t, "%s\t%s\t%s\t%.0f (%.0f-%.0f)\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\n", x.target, x.name, x.side, middle, low, high, p50, p99, server, store, redis)
	}
	fmt.Fprintln(t, "\ntarget\tcase\tratio\tmedian (min-max)")
	for _, key := range r.order {
		x := r.rows[key]
		if !strings.HasPrefix(x.side, "hub") {
			continue
		}
		for _, other := range r.order {
			base := r.rows[other]
			if base.target != x.target || base.name != x.name || base == x {
				continue
			}
			middle, low, high := r.ratios(x, base, rateOf)
			fmt.Fprintf(t, "%s\t%s\thub / %s\t%.2f (%.2f-%.2f)\n", x.target, x.name, base.side, middle, low, high)
		}
	}
	return t.Flush()
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Run measures the named cases; none = all.
func Run(ctx context.Context, o Options, names []string, w io.Writer) error {
	all := []struct {
		name string
		run  func(context.Context, Options, Target, *Report) error
	}{{"durable", durable}}
	report := &Report{}
	for _, c := range all {
		if len(names) > 0 && !slices.Contains(names, c.name) {
			continue
		}
		for _, t := range o.Targets {
			fmt.Fprintf(w, "measuring %s on %s …\n", c.name, t.Name())
			if err := c.run(ctx, o, t, report); err != nil {
				return fmt.Errorf("%s on %s: %w", c.name, t.Name(), err)
			}
		}
	}
	return report.Print(w)
}
