// Command gencodes writes the close codes of package ws as TypeScript:
//
//	go run ./ws/gencodes > web/client/src/codes.ts
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"parley/ws"
)

const head = `// Code generated from ws/close.go. DO NOT EDIT.

/** What a client does about a close code of the hub. */
export interface CloseCode {
  readonly name: string
  /** Whether to connect again by itself, after the usual wait. */
  readonly comeBack: boolean
  /** Whether a new token must be fetched before connecting again; the old one will not be taken. */
  readonly newToken: boolean
}

export const closeCodes: Readonly<Record<number, CloseCode>> = {
`

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gencodes:", err)
		os.Exit(1)
	}
}

func write(w io.Writer) error {
	var text strings.Builder
	text.WriteString(head)
	for _, c := range ws.CloseCodes() {
		fmt.Fprintf(&text, "  %d: { name: '%s', comeBack: %t, newToken: %t },\n", c.Code, c.Name, c.ComeBack, c.NewToken)
	}
	_, err := io.WriteString(w, text.String()+"}\n")
	return err
}
