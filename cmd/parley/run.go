package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"parley/configs"
)

// commands is the command line.
type commands struct {
	Serve         serveCommand         `cmd:"" help:"Start the hub."`
	Migrate       migrateCommand       `cmd:"" help:"Bring the database's schema up to date, and end."`
	Client        clientCommand        `cmd:"" help:"Make, list and revoke API clients."`
	Export        exportCommand        `cmd:"" help:"Write conversations, visits or tracked events to the standard output, one a line."`
	Replay        replayCommand        `cmd:"" help:"Have deliveries that were given up tried again, or give them up for good."`
	Rebuild       rebuildCommand       `cmd:"" help:"Make anew what follows from the record."`
	Doctor        doctorCommand        `cmd:"" help:"Say whether a hub is well, and what is wrong if not."`
	Listen        listenCommand        `cmd:"" help:"Receive a client application's callbacks here and forward them to a program on this machine."`
	CheckReceiver checkReceiverCommand `cmd:"" help:"Try whether a receiver of callbacks does what it must; the exit status says so."`
	Bot           botCommand           `cmd:"" help:"Check flows of bots, and play dialogs with them."`
	Bench         benchCommand         `cmd:"" help:"Measure this machine: ratios to a bare relay and a bare HTTP client."`
	Version       versionCommand       `cmd:"" help:"Print the version."`
}

// streams is where a command writes.
type streams struct{ out, err io.Writer }

// exit is what kong ends the program with, caught so that run is all there is.
type exit int

// run parses the command line, runs the command, and returns the exit status: 2 for a command line that cannot be used,
// 1 for a command that failed.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (status int) {
	defer func() {
		if code, ok := recover().(exit); ok { // --help
			status = int(code)
		}
	}()
	var cli commands
	parser, err := kong.New(&cli, kong.Name("parley"), kong.Description("A conversation hub: customers, bots and agents, in order, and nothing lost."),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { panic(exit(code)) }), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(streams{stdout, stderr}))
	if err != nil {
		fmt.Fprintln(stderr, "parley:", err)
		return 2
	}
	if err := readConfig(parser, args); err != nil {
		fmt.Fprintln(stderr, "parley:", err)
		return 2
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(stderr, "parley:", err)
		return 2
	}
	if err := command.Run(); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "parley:", err)
		return 1
	}
	return 0
}

// readConfig gives the parser the YAML file that --config or PARLEY_CONFIG names. It must be known before the flags are
// parsed, for its values count as theirs.
func readConfig(parser *kong.Kong, args []string) error {
	path := os.Getenv("PARLEY_CONFIG")
	for i, a := range args {
		if a == "--config" && i+1 < len(args) {
			path = args[i+1]
		} else if len(a) > len("--config=") && a[:len("--config=")] == "--config=" {
			path = a[len("--config="):]
		}
	}
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	resolver, err := configs.YAML(f)
	if err != nil {
		return err
	}
	return kong.Resolvers(resolver).Apply(parser)
}

type versionCommand struct{}

// Run prints the version that the build was made of.
func (versionCommand) Run(s streams) error {
	_, err := fmt.Fprintln(s.out, "parley", version())
	return err
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
