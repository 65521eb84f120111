package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/api"
	"tasks/internal/task"
)

// TestHostileTextStaysText brings tasks to the DLQ whose answer, error and panic
// would forge a log record, change a query, name a file or be a page if
// something took them for more than text.
func TestHostileTextStaysText(t *testing.T) {
	t.Parallel()
	hostile := []string{
		"\"}\r\n{\"level\":\"ERROR\",\"msg\":\"forged\",\"eventType\":\"DLQ_MESSAGE\"}\n\u2028\u2029\x1b[2J",
		"'); DROP TABLE tasks; --", `" OR 1=1; attribute_not_exists(pk) :t #t ?1 $1`,
		"../../../../tmp/tasks-was-here", "<script>alert(1)</script>", "%s%n%!d(MISSING) ${ProcessFunctionArn} $$.Execution.Id States.UUID()",
	}
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		dir := t.TempDir()
		worker := workerFunc(func(_ context.Context, t task.Task) error {
			if t.Attempts[len(t.Attempts)-1].Number == 3 {
				panic(t.Answer)
			}
			return errors.New(t.Answer)
		})
		h := serveConfig(t, Config{Database: filepath.Join(dir, "tasks.db"), Worker: worker, Log: slog.New(slog.NewJSONHandler(&log, nil))})
		ids := map[task.ID]string{}
		for _, text := range hostile {
			ids[h.submit(text)] = text
			for _, path := range []string{"/local/tasks/", "/local/tasks?status=", "/local/tasks?nextToken=", "/local/tasks?x="} {
				r := httptest.NewRequest("GET", "http://localhost/", nil)
				before, after, _ := strings.Cut(path, "?")
				r.URL.Path, r.URL.RawQuery = before, after
				if after == "" {
					r.URL.Path += text
				} else {
					r.URL.RawQuery += text
				}
				w := httptest.NewRecorder()
				h.front.ServeHTTP(w, r)
				if w.Code < 400 || w.Code > 499 || !json.Valid(w.Body.Bytes()) {
					t.Errorf("%s%q: got %d %s", path, text, w.Code, w.Body)
				}
			}
		}
		pass(10 * time.Second)
		for id, text := range ids {
			got := h.want(id, task.DLQ, 3)
			if got.Answer != text || got.Attempts[0].ErrorMessage != text || !strings.Contains(got.ErrorMessage, text) {
				t.Errorf("%q became %+v", text, got)
			}
			w := h.do("GET", "/tasks/"+string(id), "")
			var detail api.Detail
			if err := json.Unmarshal(w.Body.Bytes(), &detail); err != nil || detail.Answer != text || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%q is shown as %v %s, %v", text, w.Header(), w.Body, err)
			}
		}
		h.shutdown()

		dead := map[any]bool{}
		for line := range strings.Lines(log.String()) {
			var record struct{ Msg, EventType, TaskID, ErrorMessage string }
			if err := json.Unmarshal([]byte(line), &record); err != nil || record.Msg == "forged" {
				t.Errorf("the log has the line %q, %v", line, err)
			}
			if strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\r\n\x1b\u2028\u2029") {
				t.Errorf("the log has the line %q", line)
			}
			if record.EventType == "DLQ_MESSAGE" {
				dead[task.ID(record.TaskID)] = true
			}
		}
		if len(dead) != len(ids) {
			t.Errorf("%d dead letters are logged, want %d", len(dead), len(ids))
		}
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if !strings.HasPrefix(f.Name(), "tasks.db") {
				t.Errorf("there is a file %s", f.Name())
			}
		}
	})
}
