// Command campaign runs the crash campaign against the built binary: make chaos. It prints a table, and ends with 1 if a
// guarantee or a promised time was violated.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"

	"parley/chaos"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "campaign:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("campaign", flag.ContinueOnError)
	binary := flags.String("binary", "build/parley", "program under test")
	pattern := flags.String("cases", ".", "run the cases whose names match this expression")
	limit := flags.Duration("limit", 25*time.Minute, "end the campaign after this, with an error")
	short := flags.Bool("short", false, "the short form, as make test runs it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*pattern)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	stage, err := chaos.NewStage(*binary)
	if err != nil {
		return err
	}
	defer stage.Close()
	var reports []chaos.Report
	failed := 0
	for _, c := range chaos.Cases() {
		if !wanted.MatchString(c.Name) || *short && c.Short == 0 {
			continue
		}
		r, err := chaos.Run(ctx, stage, c, *short)
		if err != nil {
			return err
		}
		state := "ok"
		if r.Failed() {
			failed++
			state = "FAILED"
		}
		fmt.Fprintf(log, "%s: %s, %d violations, %v\n", r.Case, state, r.Violations(), r.Took.Round(100*time.Millisecond))
		r.Explain(log)
		reports = append(reports, r)
	}
	if err := chaos.Print(out, reports); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d cases violated a guarantee or a promised time", failed, len(reports))
	}
	return nil
}
