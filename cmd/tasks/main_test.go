package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// result is what a command left behind.
type result struct {
	Code        int
	Out, ErrOut string
}

// run runs the program against the fake server.
func (f *fakeServer) run(t *testing.T, args ...string) result {
	t.Helper()
	return f.runIn(t.Context(), "", args...)
}

// runIn runs the program with a context and a standard input.
func (f *fakeServer) runIn(ctx context.Context, stdin string, args ...string) result {
	return runWith(ctx, stdin, map[string]string{"TASKS_API": f.URL + "/local/"}, args...)
}

func runWith(ctx context.Context, stdin string, env map[string]string, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, strings.NewReader(stdin), &stdout, &stderr, func(name string) string { return env[name] })
	return result{Code: code, Out: stdout.String(), ErrOut: stderr.String()}
}

func check(t *testing.T, got, want result) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

func TestHowItIsCalled(t *testing.T) {
	t.Parallel()
	const usage = "Run 'tasks %s --help' for usage.\n"
	for name, test := range map[string]struct {
		args   []string
		errOut string
	}{
		"refuses an unknown command":         {[]string{"sumbit"}, "unknown command \"sumbit\""},
		"refuses an unknown flag":            {[]string{"list", "--colour"}, "unknown flag: --colour"},
		"refuses a flag's odd value":         {[]string{"list", "--limit", "many"}, "invalid argument \"many\""},
		"refuses a missing argument":         {[]string{"get"}, "accepts 1 arg(s), received 0"},
		"refuses a surplus argument":         {[]string{"submit", "a", "b"}, "accepts at most 1 arg(s), received 2"},
		"refuses flags that exclude another": {[]string{"list", "--all", "--limit", "3"}, "--all and --limit exclude each other"},
		"refuses what is no id":              {[]string{"get", "../x"}, `"../x" is not a task id`},
		"refuses what is no id to redrive":   {[]string{"redrive", "42"}, `"42" is not a task id`},
		"refuses what is no id to watch":     {[]string{"watch", "42"}, `"42" is not a task id`},
		"refuses an unknown status":          {[]string{"list", "--status", "lost"}, `there is no status "lost"`},
		"refuses a limit of 0":               {[]string{"list", "--limit", "0"}, "--limit 0: want 1 or more"},
		"refuses an interval of 0":           {[]string{"watch", "--interval", "0s"}, "--interval 0s"},
		"refuses a load of nothing":          {[]string{"load", "-n", "0"}, "--tasks 0"},
		"refuses a load from nobody":         {[]string{"load", "-c", "-1"}, "--clients -1"},
		"refuses a load of blank answers":    {[]string{"load", "--answer-bytes", "0"}, "--answer-bytes 0"},
		"refuses a load without time":        {[]string{"load", "--timeout", "0s"}, "--timeout 0s"},
		"refuses what is no URL":             {[]string{"list", "--api", "localhost:3000"}, `"localhost:3000" is no URL of an API`},
		"refuses a URL with a password":      {[]string{"list", "--api", "http://a:b@localhost"}, `"http://a:xxxxx@localhost" has a user name or a password`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := runWith(t.Context(), "", nil, test.args...)
			if got.Code != exitUsage || got.Out != "" {
				t.Errorf("got code %d and output %q, want code %d and none", got.Code, got.Out, exitUsage)
			}
			hint := strings.Replace(usage, "%s ", test.args[0]+" ", 1)
			if test.args[0] == "sumbit" {
				hint = strings.Replace(usage, "%s ", "", 1)
			}
			if !strings.HasPrefix(got.ErrOut, "tasks: ") || !strings.Contains(got.ErrOut, test.errOut) || !strings.HasSuffix(got.ErrOut, hint) {
				t.Errorf("got error output %q, want %q in it and %q at its end", got.ErrOut, test.errOut, hint)
			}
		})
	}
}

// TestFlagsWithoutAValue gives flags the value of a shell's variable that is not set.
func TestFlagsWithoutAValue(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ args, flag string }{
		{"redrive --all --error-type=", "error-type"},
		{"redrive --all --label=", "label"},
		{"redrive --all --created-after=", "created-after"},
		{"redrive --all --created-before= --dry-run", "created-before"},
		{"redrive --error-type= " + firstID, "error-type"},
		{"redrive --api= " + firstID, "api"},
		{"list --status=", "status"},
		{"list --error-type=Timeout --label=", "label"},
		{"list --status=DLQ --status=", "status"},
		{"submit --idempotency-key= a", "idempotency-key"},
		{"submit --label=a=b --label= a", "label"},
		{"submit --lines=", "lines"},
		{"get --token= " + firstID, "token"},
		{"stats --aws-profile=", "aws-profile"},
		{"watch --sign=", "sign"},
		{"load --api=", "api"},
		{"cost --measured=1 --api=", "api"},
		{"console --listen=", "listen"},
		{"serve --param=", "param"},
		{"run --script= -", "script"},
		{"validate --substitute= -", "substitute"},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			f := newFakeServer(t)
			f.add("fail")
			f.settle()
			args := strings.Fields(test.args)
			check(t, f.runIn(t.Context(), "from standard input", args...), result{Code: exitUsage, ErrOut: "tasks: --" + test.flag + " has an empty value: give it one, or leave the flag out\n" +
				"Run 'tasks " + args[0] + " --help' for usage.\n"})
			if len(f.reads) > 0 {
				t.Errorf("got the requests %v, want none", f.reads)
			}
		})
	}
	t.Run("a label may have one", func(t *testing.T) {
		t.Parallel()
		check(t, newFakeServer(t).run(t, "submit", "--label", "team=", "42"), result{Out: firstID + "\n"})
	})
}

func TestHelpHasAnExampleOfEveryCommand(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"submit", "get", "list", "watch", "redrive", "load"} {
		got := runWith(t.Context(), "", nil, command, "--help")
		if got.Code != exitDone || !strings.Contains(got.Out, "Examples:\n  tasks "+command) {
			t.Errorf("tasks %s --help: got %+v, want code 0 and examples", command, got)
		}
	}
}

func TestServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t)
	f.Close()
	for _, args := range [][]string{{"list"}, {"submit", "42"}, {"watch"}, {"load", "-n", "3"}} {
		got := f.run(t, args...)
		if got.Code != exitFailed || got.Out != "" {
			t.Errorf("tasks %v: got code %d and output %q, want code %d and none", args, got.Code, got.Out, exitFailed)
		}
		if !strings.HasPrefix(got.ErrOut, "tasks: no server at "+f.URL+"/local: ") || !strings.Contains(got.ErrOut, "start one with `tasks serve`") {
			t.Errorf("tasks %v: got error output %q", args, got.ErrOut)
		}
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t)
	f.token = "secret"
	env := map[string]string{"TASKS_API": f.URL + "/local"}

	got := runWith(t.Context(), "", env, "list")
	check(t, got, result{Code: exitFailed, ErrOut: "tasks: 401 Unauthorized: This server wants a token.; give the server's token with --token or TASKS_TOKEN\n"})

	if got := runWith(t.Context(), "", env, "submit", "--token", "secret", "42"); got.Code != exitDone {
		t.Errorf("with --token: got %+v, want code 0", got)
	}
	env["TASKS_TOKEN"] = "secret"
	if got := runWith(t.Context(), "", env, "submit", "42"); got.Code != exitDone {
		t.Errorf("with TASKS_TOKEN: got %+v, want code 0", got)
	}
	if got := runWith(t.Context(), "", env, "submit", "--help"); strings.Contains(got.Out, "secret") {
		t.Errorf("the help shows the token: %q", got.Out)
	}
}

func TestServerErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		hook func(http.ResponseWriter)
		want string
	}{
		"tells a problem's title and detail": {
			func(w http.ResponseWriter) { problem(w, http.StatusServiceUnavailable, "Send it again.") },
			"tasks: 503 Service Unavailable: Send it again.\n",
		},
		"tells API Gateway's own message": {
			func(w http.ResponseWriter) { reply(w, http.StatusForbidden, map[string]string{"message": "Forbidden"}) },
			"tasks: 403 Forbidden: Forbidden; the API wants requests signed with AWS credentials that may execute-api:Invoke: see --sign and --aws-profile\n",
		},
		"escapes what a terminal could obey": {
			func(w http.ResponseWriter) { problem(w, http.StatusBadRequest, "red \x1b[31m") },
			`tasks: 400 Bad Request: red \x1b[31m` + "\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeServer(t)
			f.hooks = append(f.hooks, func(w http.ResponseWriter, _ *http.Request) bool {
				test.hook(w)
				return true
			})
			check(t, f.run(t, "list"), result{Code: exitFailed, ErrOut: test.want})
		})
	}
}

func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"list"}, {"stats"}, {"watch"},
		{"watch", "--json", "--interval", "1ms"}, // prints nothing until a task has changed
		{"watch", firstID}, {"watch", "--json", firstID},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			f := newFakeServer(t)
			f.add("stuck", "retry")
			ctx, interrupt := context.WithTimeout(t.Context(), 10*time.Second)
			defer interrupt()
			var stderr bytes.Buffer
			code := run(ctx, append(args, "--api", f.URL+"/local"), strings.NewReader(""), fullDisk{}, &stderr, func(string) string { return "" })
			if want := "tasks: write the output: no space left on device\n"; code != exitFailed || stderr.String() != want {
				t.Errorf("got code %d and %q, want %d and %q", code, stderr.String(), exitFailed, want)
			}
			if ctx.Err() != nil {
				t.Error("it went on until it was interrupted")
			}
		})
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

var _ io.Writer = fullDisk{}
