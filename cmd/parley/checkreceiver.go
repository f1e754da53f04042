package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"parley/conformance"
)

type checkReceiverCommand struct {
	URL     string        `arg:"" name:"url" help:"URL of the receiver. It gets messages of conversations that do not exist."`
	Secret  string        `help:"Signing secret of the receiver's role, whsec_…; empty = what is about signatures is skipped." env:"PARLEY_CHECK_RECEIVER_SECRET"`
	Timeout time.Duration `help:"Time for each answer; the hub gives 5s." default:"5s" env:"PARLEY_CHECK_RECEIVER_TIMEOUT"`
	JSON    bool          `name:"json" help:"Report as JSON."`
	Header  []string      `help:"Further header, 'Name: value', such as the Authorization that the receiver wants; may be given several times." sep:"none"`
}

// Run checks a receiver and reports. The error, and with it the exit status, says whether a check failed.
func (c *checkReceiverCommand) Run(ctx context.Context, s streams) error {
	if err := webURL(c.URL); err != nil {
		return err
	}
	if c.Timeout <= 0 {
		return errors.New("--timeout: give a positive duration such as 5s")
	}
	header, err := headers(c.Header)
	if err != nil {
		return err
	}
	report := struct {
		Passed  int                  `json:"passed"`
		Failed  int                  `json:"failed"`
		Skipped int                  `json:"skipped"`
		Checks  []conformance.Result `json:"checks"`
	}{}
	err = conformance.Run(ctx, conformance.Config{URL: c.URL, Secret: c.Secret, Timeout: c.Timeout, Header: header}, func(r conformance.Result) {
		report.Checks = append(report.Checks, r)
		switch r.Verdict {
		case conformance.Pass:
			report.Passed++
		case conformance.Fail:
			report.Failed++
		default:
			report.Skipped++
		}
		if !c.JSON {
			fmt.Fprintf(s.out, "%-8s %-26s %s\n", r.Verdict, r.Check, r.Why)
			if r.Verdict == conformance.Fail {
				fmt.Fprintf(s.out, "%-8s %-26s a receiver %s\n", "", "", r.Says)
			}
		}
	})
	if err != nil {
		return err
	}
	if c.JSON {
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintln(s.out, string(text))
	} else {
		fmt.Fprintf(s.out, "%d passed, %d failed, %d skipped\n", report.Passed, report.Failed, report.Skipped)
	}
	if report.Failed > 0 {
		return fmt.Errorf("%d checks failed", report.Failed)
	}
	return nil
}

// headers reads 'Name: value' flags.
func headers(flags []string) (http.Header, error) {
	header := http.Header{}
	for _, h := range flags {
		name, value, ok := strings.Cut(h, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, errors.New("--header: give 'Name: value'")
		}
		header.Add(name, value)
	}
	return header, nil
}
