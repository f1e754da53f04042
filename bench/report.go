package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// A Report gathers what was measured, in the order in which it was.
type Report struct {
	order   []string
	rows    map[string]*row
	notes   []string
	figures map[string]*figure
}

// A figure is one number of one case, over all repetitions.
type figure struct {
	target, name, side, unit string
	values                   []float64
}

// note adds a figure that is no load.
func (r *Report) note(t Target, name, side, unit string, value float64) {
	if r.figures == nil {
		r.figures = map[string]*figure{}
	}
	key := t.Name() + "\x00" + name + "\x00" + side + "\x00" + unit
	if r.figures[key] == nil {
		r.figures[key] = &figure{target: t.Name(), name: name, side: side, unit: unit}
		r.notes = append(r.notes, key)
	}
	r.figures[key].values = append(r.figures[key].values, value)
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
	return spread(values)
}

// spread is the median with the smallest and the largest.
func spread(values []float64) (middle, low, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2], sorted[0], sorted[len(sorted)-1]
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
	r.printLoads(t)
	r.printWork(t)
	r.printFigures(t)
	r.printRatios(t)
	return t.Flush()
}

func (r *Report) printLoads(t io.Writer) {
	if len(r.order) == 0 {
		return
	}
	fmt.Fprintln(t, "\ntarget\tcase\tside\tper second (min-max)\tp50 ms\tp99 ms\tserver CPU s/100k\tstore\tRedis")
	for _, key := range r.order {
		x := r.rows[key]
		middle, low, high := x.median(rateOf)
		server, _, _ := x.median(func(l load) float64 { return l.cpu.server })
		store, _, _ := x.median(func(l load) float64 { return l.cpu.store })
		redis, _, _ := x.median(func(l load) float64 { return l.cpu.redis })
		p50, p99 := "-", "-"
		if len(x.loads[0].latencies) > 0 {
			middle50, _, _ := x.median(func(l load) float64 { return milliseconds(percentile(l.latencies, 0.5)) })
			middle99, _, _ := x.median(func(l load) float64 { return milliseconds(percentile(l.latencies, 0.99)) })
			p50, p99 = fmt.Sprintf("%.2f", middle50), fmt.Sprintf("%.2f", middle99)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.0f (%.0f-%.0f)\t%s\t%s\t%.2f\t%.2f\t%.2f\n", x.target, x.name, x.side, middle, low, high, p50, p99, server, store, redis)
	}
}

// printWork says what the hub did for a message.
func (r *Report) printWork(t io.Writer) {
	head := false
	for _, key := range r.order {
		x := r.rows[key]
		if x.side != "hub" || x.loads[0].counted["parley_messages_accepted_total"] == 0 {
			continue
		}
		if !head {
			fmt.Fprintln(t, "\ntarget\tcase\tmessages a commit\tstatements a message\tRedis round trips a message\ta callback")
			head = true
		}
		each := func(name, of string) float64 {
			middle, _, _ := x.median(func(l load) float64 { return l.counted.per(name, of) })
			return middle
		}
		callbacks := "-"
		if x.loads[0].counted["parley_deliveries_total"] > 0 {
			callbacks = fmt.Sprintf("%.3f", each("parley_redis_round_trips_total", "parley_deliveries_total"))
		}
		fmt.Fprintf(t, "%s\t%s\t%.1f\t%.3f\t%.3f\t%s\n", x.target, x.name, each("parley_messages_accepted_total", "parley_commit_batch_size_count"),
			each("parley_write_statements_total", "parley_messages_accepted_total"), each("parley_redis_round_trips_total", "parley_messages_accepted_total"), callbacks)
	}
}

func (r *Report) printFigures(t io.Writer) {
	if len(r.notes) == 0 {
		return
	}
	fmt.Fprintln(t, "\ntarget\tcase\tside\tfigure\tmedian (min-max)")
	for _, key := range r.notes {
		f := r.figures[key]
		middle, low, high := spread(f.values)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.2f (%.2f-%.2f)\n", f.target, f.name, f.side, f.unit, middle, low, high)
	}
}

// printRatios sets the hub against each baseline, repetition by repetition.
func (r *Report) printRatios(t io.Writer) {
	fmt.Fprintln(t, "\ntarget\tcase\tratio\tmedian (min-max)")
	for _, key := range r.order {
		x := r.rows[key]
		for _, other := range r.order {
			base := r.rows[other]
			if x.side != "hub" || base.target != x.target || base.name != x.name || base == x {
				continue
			}
			middle, low, high := r.ratios(x, base, rateOf)
			fmt.Fprintf(t, "%s\t%s\thub / %s\t%s (%s-%s)\n", x.target, x.name, base.side, ratio(middle), ratio(low), ratio(high))
		}
	}
	for _, key := range r.notes {
		f := r.figures[key]
		for _, other := range r.notes {
			base := r.figures[other]
			if f.side != "hub" || base.target != f.target || base.name != f.name || base.unit != f.unit || base == f {
				continue
			}
			ratios := make([]float64, min(len(f.values), len(base.values)))
			for i := range ratios {
				ratios[i] = f.values[i] / base.values[i]
			}
			middle, low, high := spread(ratios)
			fmt.Fprintf(t, "%s\t%s\thub / %s\t%s (%s-%s)\n", f.target, f.name, base.side, ratio(middle), ratio(low), ratio(high))
		}
	}
}

// ratio is a ratio as it is printed, so that none is 0.00 but zero itself.
func ratio(v float64) string {
	if v > 0 && v < .1 {
		return fmt.Sprintf("%.2g", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Run measures the named cases; none = all.
func Run(ctx context.Context, o Options, names []string, w io.Writer) error {
	all := []struct {
		name string
		run  func(context.Context, Options, Target, *Report) error
	}{{"durable", durable}, {"callbacks", callbacks}, {"stalled", stalled}, {"held", held}, {"memory", memory}, {"typing", typing}, {"growth", growth}, {"resume", resume}, {"churn", churn}, {"groups", groups}, {"feeding", feeding}, {"analytics", analytics}, {"turns", turns}, {"waiting", waiting}}
	report := &Report{}
	var failed error // what was measured is printed all the same
	for i := range o.Targets {
		if o.Targets[i].Database == "" {
			continue
		}
		data, err := os.MkdirTemp("", "parley-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(data)
		o.Targets[i].data = data
	}
	for _, c := range all {
		if len(names) > 0 && !slices.Contains(names, c.name) {
			continue
		}
		for _, t := range o.Targets {
			fmt.Fprintf(w, "measuring %s on %s …\n", c.name, t.Name())
			if err := c.run(ctx, o, t, report); err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s on %s: %w", c.name, t.Name(), err))
			}
		}
	}
	return errors.Join(failed, report.Print(w))
}
