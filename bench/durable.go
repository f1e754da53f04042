package bench

import (
	"context"
	"fmt"
)

// durable is case (a): 1:1 messages, at one and at eight on their way, beside the plain and the coalesced relay; and case
// (b): latency at fixed rates. Every repetition takes all sides in turn.
func durable(ctx context.Context, o Options, t Target, report *Report) error {
	var st stage
	defer st.close()
	for _, mode := range []string{"plain", "coalesced"} {
		if err := st.addRelay(ctx, mode, o.Pairs); err != nil {
			return err
		}
	}
	if err := st.addHub(ctx, t, o.Pairs, texts); err != nil {
		return err
	}
	for _, window := range []int{1, 8} {
		name := fmt.Sprintf("durable 1:1, %d in flight", window)
		if err := st.compare(ctx, o, t, report, name, st.sides, window); err != nil {
			return err
		}
	}
	for _, rate := range []float64{1000, 5000} {
		name := fmt.Sprintf("latency at %.0f messages/s", rate)
		for range o.Repeats {
			for _, side := range st.sides[1:] {
				l, err := openLoop(ctx, side.pairs, rate, o.Warm, o.Measure, side.server)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", name, side.name, err)
				}
				report.add(t, name, side.name, l)
			}
		}
	}
	return nil
}

// compare lets each side in turn carry as much as it can, again and again.
func (st *stage) compare(ctx context.Context, o Options, t Target, report *Report, name string, sides []side, window int) error {
	for range o.Repeats {
		for _, side := range sides {
			l, err := closedLoop(ctx, side.pairs, window, o.Warm, o.Measure, side.server)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", name, side.name, err)
			}
			report.add(t, name, side.name, l)
		}
	}
	return nil
}

// typing is case (e): what is passed on and never stored, beside the plain relay.
func typing(ctx context.Context, o Options, t Target, report *Report) error {
	var st stage
	defer st.close()
	if err := st.addRelay(ctx, "plain", o.Pairs); err != nil {
		return err
	}
	if err := st.addHub(ctx, t, o.Pairs, marks); err != nil {
		return err
	}
	for _, window := range []int{1, 8} {
		if err := st.compare(ctx, o, t, report, fmt.Sprintf("typing, %d in flight", window), st.sides, window); err != nil {
			return err
		}
	}
	return nil
}
