package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"parley/flow"
)

// botCommand is for those who write flows; it needs no hub.
type botCommand struct {
	Validate botValidateCommand `cmd:"" help:"Say everything that is wrong with flows of bots; the exit status says whether anything is."`
	Test     botTestCommand     `cmd:"" help:"Play dialogs with flows, and show where the bot answers otherwise than it should."`
}

type botValidateCommand struct {
	Files []string `arg:"" name:"file" help:"Flow, in YAML or JSON."`
}

// Run prints FILE:LINE: problem. Warnings are no failure.
func (c *botValidateCommand) Run(s streams) error {
	broken := 0
	for _, file := range c.Files {
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		f, err := flow.Parse(source)
		var problems []flow.Problem
		if invalid := (*flow.Invalid)(nil); errors.As(err, &invalid) {
			problems = invalid.Problems
			broken++
		} else if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		} else {
			problems = f.Warnings
		}
		for _, p := range problems {
			fmt.Fprintf(s.out, "%s:%d: %s\n", file, p.Line, describe(p))
		}
	}
	if broken > 0 {
		return fmt.Errorf("%d of %d flows cannot be used", broken, len(c.Files))
	}
	return nil
}

// describe is a problem without its line.
func describe(p flow.Problem) string {
	text := p.Message
	if p.Warning {
		text = "warning: " + text
	}
	if p.Path != "" {
		text = p.Path + ": " + text
	}
	return text
}

type botTestCommand struct {
	Files   []string `arg:"" name:"file" help:"Dialogs, in YAML; see docs/bots.md."`
	Verbose bool     `short:"v" help:"Print what is said." env:"PARLEY_BOT_TEST_VERBOSE"`
}

// Run plays the dialogs of the files, all of them whatever fails.
func (c *botTestCommand) Run(ctx context.Context, s streams) error {
	played, failed := 0, 0
	for _, file := range c.Files {
		d, err := readDialogs(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for i := range d.Dialogs {
			played++
			p := player{file: file, out: s.out, verbose: c.Verbose, now: d.Now, locale: d.Locale, source: d.source}
			if !p.play(ctx, &d.Dialogs[i]) {
				failed++
			}
		}
	}
	fmt.Fprintf(s.out, "%d dialogs, %d failed\n", played, failed)
	if failed > 0 {
		return fmt.Errorf("%d of %d dialogs failed", failed, played)
	}
	return nil
}
