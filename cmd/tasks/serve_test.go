package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	const strong = "0123456789abcdef"
	for name, test := range map[string]struct{ listen, token, want string }{
		"all addresses without a token":       {"0.0.0.0:0", "", "it needs a token"},
		"no address without a token":          {":0", "", "it needs a token"},
		"an address of a network":             {"192.168.1.7:3000", "", "it needs a token"},
		"a name that may be of this machine":  {"tasks.example:3000", "", "it needs a token"},
		"an address without a port":           {"127.0.0.1", "", "want HOST:PORT"},
		"a short token":                       {"0.0.0.0:0", strong[1:], "at least 16 characters"},
		"a short token on loopback":           {"127.0.0.1:0", "x", "at least 16 characters"},
		"a token with a space":                {"0.0.0.0:0", strong + " x", "without spaces"},
		"a token with a line break":           {"0.0.0.0:0", strong + "\n", "without spaces"},
		"a token that is not ASCII":           {"0.0.0.0:0", strong + "ü", "of ASCII"},
		"a parameter that the template lacks": {"127.0.0.1:0", strong, "Colour"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := filepath.Join(t.TempDir(), "new", "tasks.db")
			args := []string{"serve", "--listen", test.listen, "--db", db}
			if test.want == "Colour" {
				args = append(args, "--param", "Colour=blue")
			}
			got := runWith(t.Context(), "", map[string]string{"TASKS_TOKEN": test.token}, args...)
			if got.Code == exitDone || got.Out != "" || !strings.Contains(got.ErrOut, test.want) {
				t.Errorf("got %+v, want an error with %q", got, test.want)
			}
			if len(test.token) > 1 && strings.Contains(got.ErrOut, strings.TrimSpace(test.token)) {
				t.Errorf("the error shows the token: %q", got.ErrOut)
			}
			if _, err := os.Stat(filepath.Dir(db)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something was made in %s: %v", filepath.Dir(db), err)
			}
		})
	}
}

// TestServeRefusesWhatIsNoFile has a working directory of its own, to see that nothing
// is left in it.
func TestServeRefusesWhatIsNoFile(t *testing.T) {
	for name, test := range map[string]struct{ db, want string }{
		"no path":                    {"", "--db has an empty value: give it one, or leave the flag out"},
		"memory":                     {":memory:", "--db :memory:: want the path of a file, such as .tasks/tasks.db"},
		"a URI":                      {"file:tasks.db?mode=memory", "--db file:tasks.db?mode=memory: want the path of a file, such as .tasks/tasks.db"},
		"a folder":                   {"folder", "--db folder: that is a folder; want the path of a file, such as folder/tasks.db"},
		"a folder that is not there": {"new/", "--db new/: that is a folder; want the path of a file, such as new/tasks.db"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.Mkdir("folder", 0o700); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
			defer stop()
			check(t, runWith(ctx, "", nil, "serve", "--listen", "127.0.0.1:0", "--db", test.db),
				result{Code: exitUsage, ErrOut: "tasks: " + test.want + "\nRun 'tasks serve --help' for usage.\n"})
			files, err := filepath.Glob("*")
			hidden, _ := filepath.Glob("*/*")
			if all := append(files, hidden...); err != nil || !slices.Equal(all, []string{"folder"}) {
				t.Errorf("got the files %v, %v, want none but the folder", all, err)
			}
		})
	}
}

// TestServeKeepsItsToken serves requests with the token, without it and with
// another, and looks at all that is printed and written.
func TestServeKeepsItsToken(t *testing.T) {
	t.Parallel()
	const token, wrong = "correct-horse-battery-staple", "incorrect-horse-battery"
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stdout, printed := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		env := map[string]string{"TASKS_TOKEN": token}
		ended <- run(ctx, []string{"serve", "--listen", "127.0.0.1:0", "--db", filepath.Join(dir, "tasks.db")}, strings.NewReader(""), printed, &stderr, func(name string) string { return env[name] })
		printed.Close()
	}()
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("got %q, %v, %s", first, err, stderr.String())
	}
	go io.Copy(io.Discard, lines)
	fields := strings.Fields(first)
	for authorization, want := range map[string]int{"": 401, "Bearer " + wrong: 401, "Bearer " + token: 200} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fields[len(fields)-1], nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", authorization)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != want || bytes.Contains(body, []byte("horse")) {
			t.Errorf("%q: got %d %s, %v, want %d without a token", authorization, resp.StatusCode, body, err, want)
		}
	}
	stop()
	if code := <-ended; code != exitDone || strings.Contains(stderr.String(), "horse") || strings.Contains(first, "horse") {
		t.Errorf("got code %d, %q and %q, want no token in them", code, first, stderr.String())
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatalf("got files %v, %v", files, err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(filepath.Join(dir, f.Name())); err != nil || bytes.Contains(b, []byte("horse")) {
			t.Errorf("%s has the token, or %v", f.Name(), err)
		}
	}
}

// hostile is text that would end a line, forge a log record or command a
// terminal, if something took it for more than text.
const hostile = "\"}\r\n{\"level\":\"ERROR\",\"msg\":\"forged\"}\n\u0085\u2028\u2029\x00\x1b[2J\x1b]0;title\x07\u009b31m\u202e\U000e0001"

func TestLogsAreText(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	newLogger(&out).With(hostile, hostile).Error("dead letter", "errorMessage", hostile, "error", errors.New(hostile))
	var record map[string]any
	if err := json.Unmarshal(out.Bytes(), &record); err != nil || record["errorMessage"] != hostile || record["error"] != hostile || record[hostile] != hostile {
		t.Errorf("got %q, %v, want the text as it is", out.String(), err)
	}
	if strings.Count(out.String(), "\n") != 1 {
		t.Errorf("got %q, want one line", out.String())
	}
	harmless(t, out.String())
}

// TestTasksPrintText runs each command on tasks that are all hostile text.
func TestTasksPrintText(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t)
	for _, first := range []string{"done", "fail", "retry"} {
		added := f.add(first + " " + hostile)
		added.ErrorType, added.ErrorMessage, added.ExecutionID = hostile, hostile, hostile
	}
	id := func(n int) string { return string(f.tasks[n].TaskID) }
	definition := `{"StartAt": "A", "States": {"A": {"Type": "Pass", "Comment": ` + quoted(t, hostile) + `, "Result": ` + quoted(t, hostile) + `, "End": true}}}`
	for _, args := range [][]string{
		{"get", id(0)}, {"get", id(0), "--json"}, {"get", id(0), "--history"}, {"list"}, {"list", "--json"},
		{"watch", id(1), "--interval", "1ms"}, {"watch", id(2), "--interval", "1ms", "--json"},
		{"submit", "done " + hostile, "--wait"}, {"submit", "fail " + hostile, "--wait"},
		{"redrive", id(1)}, {"redrive", id(1)}, {"get", hostile}, {"list", "--status", hostile}, {"list", "--api", hostile}, {hostile}, {"list", "--" + hostile},
		{"run", "-", "--input", quoted(t, hostile)}, {"run", "-", "--input", hostile}, {"run", hostile}, {"validate", hostile}, {"validate", "-", "--param", hostile},
	} {
		got := f.runIn(t.Context(), definition, args...)
		harmless(t, got.Out)
		harmless(t, got.ErrOut)
		if t.Failed() {
			t.Fatalf("tasks %q: got %+v", args, got)
		}
	}
}

func quoted(t *testing.T, text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What is printed can be opened, whatever is listened on.
func TestReachable(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		"127.0.0.1:3000": "127.0.0.1:3000", "0.0.0.0:3000": "localhost:3000", "[::]:3000": "localhost:3000", "[::1]:3000": "[::1]:3000",
	} {
		at, err := net.ResolveTCPAddr(networkOf(listen), listen)
		if err != nil || reachable(at) != want {
			t.Errorf("%s: got %s, %v, want %s", listen, reachable(at), err, want)
		}
	}
}
