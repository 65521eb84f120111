package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tasks/internal/api"
	"tasks/internal/task"
)

// fakeServer is a fake of the API, in memory. It has no queue and no workers: a
// task goes one step further on its script each time it has been read. The
// answer chooses the script.
type fakeServer struct {
	*httptest.Server

	mu    sync.Mutex
	tasks []*fakeTask // oldest first
	reads map[string]int
	keys  map[string]task.ID
	// orders are the requests to redrive many.
	orders []map[string]any

	// Hooks. A request is answered by the first that returns true.
	hooks []func(w http.ResponseWriter, r *http.Request) bool
	// maxPage bounds the tasks of a page below what the client asks for.
	maxPage int
	token   string
}

type fakeTask struct {
	api.Detail
	next []task.Status
}

// The scripts, by the beginning of the answer; any other answer is processed at
// the second read.
var scripts = map[string][]task.Status{
	"done":  {task.Processed},
	"retry": {task.Processing, task.Failed, task.Processing, task.Processed},
	"fail":  {task.Processing, task.Failed, task.DLQ},
	"mute":  {task.DLQ}, // without a reason
	"stuck": {},
}

var fakeEpoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newFakeServer(t *testing.T) *fakeServer {
	f := &fakeServer{reads: map[string]int{}, keys: map[string]task.ID{}, maxPage: task.MaxPageTasks}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /local/tasks", f.submit)
	mux.HandleFunc("POST /local/tasks/batch", f.batch)
	mux.HandleFunc("POST /local/tasks/redrive", f.redriveAll)
	mux.HandleFunc("GET /local/tasks/stats", f.stats)
	mux.HandleFunc("GET /local/tasks", f.list)
	mux.HandleFunc("GET /local/tasks/{id}", f.get)
	mux.HandleFunc("GET /local/tasks/{id}/history", f.history)
	mux.HandleFunc("POST /local/tasks/{id}/redrive", f.redrive)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.token != "" && r.Header.Get("Authorization") != "Bearer "+f.token {
			problem(w, http.StatusUnauthorized, "This server wants a token.")
			return
		}
		for _, hook := range f.hooks {
			if hook(w, r) {
				return
			}
		}
		f.reads[r.Method+" "+r.URL.RequestURI()]++
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// add adds tasks with these answers, without a request.
func (f *fakeServer) add(answers ...string) (last *fakeTask) {
	for _, answer := range answers {
		n := len(f.tasks)
		at := task.At(fakeEpoch.Add(time.Duration(n) * time.Millisecond))
		last = &fakeTask{Detail: api.Detail{
			Summary: api.Summary{
				TaskID: task.ID(fmt.Sprintf("01939a3e-7c00-7000-8000-%012d", n)),
				Answer: answer, Status: task.Pending, CreatedAt: at, UpdatedAt: at,
			},
			Run: 1, Attempts: []api.Attempt{},
		}}
		script, _, _ := strings.Cut(answer, " ")
		var known bool
		if last.next, known = scripts[script]; !known {
			last.next = []task.Status{task.Processing, task.Processed}
		}
		f.tasks = append(f.tasks, last)
	}
	return last
}

// step goes one step further on the task's script.
func (t *fakeTask) step() {
	if len(t.next) == 0 {
		return
	}
	t.Status, t.next = t.next[0], t.next[1:]
	t.UpdatedAt = t.UpdatedAt.Plus(time.Second)
	switch t.Status {
	case task.Processing:
		t.Attempts = append(t.Attempts, api.Attempt{Attempt: task.Attempt{Number: len(t.Attempts) + 1, Run: t.Run, StartedAt: t.UpdatedAt}})
		t.Retries = len(t.Attempts) - 1
		t.ErrorType, t.ErrorMessage = "", ""
		return
	case task.Failed:
		t.ErrorType, t.ErrorMessage = "WorkerError", "simulated failure"
	case task.DLQ:
		if !strings.HasPrefix(t.Answer, "mute") {
			t.ErrorType, t.ErrorMessage = "WorkerError", "simulated failure"
		}
	}
	if n := len(t.Attempts); n > 0 && t.Attempts[n-1].FinishedAt.IsZero() {
		last := &t.Attempts[n-1]
		last.FinishedAt, last.ErrorType, last.ErrorMessage = t.UpdatedAt, t.ErrorType, t.ErrorMessage
	}
}

func (f *fakeServer) submit(w http.ResponseWriter, r *http.Request) {
	var body struct{ Answer string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || strings.TrimSpace(body.Answer) == "" {
		problem(w, http.StatusUnprocessableEntity, `The member "answer" is blank. Put some text in it.`)
		return
	}
	t := f.add(body.Answer)
	reply(w, http.StatusAccepted, api.Accepted{TaskID: t.TaskID, Status: t.Status, Message: "Task submitted successfully"})
}

// batch takes what submit takes, once for each idempotency key.
func (f *fakeServer) batch(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Tasks []struct{ Answer, IdempotencyKey string }
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Tasks) == 0 || len(body.Tasks) > task.MaxBatch {
		problem(w, http.StatusUnprocessableEntity, "There are too many tasks, or none.")
		return
	}
	var batch api.Batch
	for _, item := range body.Tasks {
		known := f.keys[item.IdempotencyKey]
		switch {
		case strings.TrimSpace(item.Answer) == "":
			batch.Results = append(batch.Results, api.BatchResult{Status: 422, Detail: `The member "answer" is blank. Put some text in it.`})
		case known != "":
			batch.Results = append(batch.Results, api.BatchResult{Status: 202, TaskID: known, Replayed: true})
		default:
			id := f.add(item.Answer).TaskID
			f.keys[item.IdempotencyKey] = id
			batch.Results = append(batch.Results, api.BatchResult{Status: 202, TaskID: id})
		}
	}
	reply(w, http.StatusOK, batch)
}

func (f *fakeServer) stats(w http.ResponseWriter, _ *http.Request) {
	stats := api.Stats{Counts: map[task.Status]int{}, AsOf: task.At(fakeEpoch)}
	for _, status := range task.Statuses {
		stats.Counts[status] = 0
	}
	for _, t := range f.tasks {
		stats.Counts[t.Status]++
	}
	reply(w, http.StatusOK, stats)
}

// redriveAll pages as list does, and keeps what it was asked for.
func (f *fakeServer) redriveAll(w http.ResponseWriter, r *http.Request) {
	var order map[string]any
	if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
		problem(w, http.StatusBadRequest, "The body is not one JSON document.")
		return
	}
	f.orders = append(f.orders, order)
	limit, _ := order["limit"].(float64)
	token, _ := order["nextToken"].(string)
	dryRun, _ := order["dryRun"].(bool)
	answer := api.Redriven{DryRun: dryRun, Tasks: []task.Message{}, DiedBefore: task.At(fakeEpoch)}
	for _, t := range slices.Backward(f.tasks) {
		if token != "" && string(t.TaskID) >= token || t.Status != task.DLQ {
			continue
		}
		if len(answer.Tasks) == int(limit) {
			answer.NextToken = string(answer.Tasks[len(answer.Tasks)-1].TaskID)
			break
		}
		if !dryRun {
			t.Run++
			t.Status = task.Pending
		}
		answer.Tasks = append(answer.Tasks, task.Message{TaskID: t.TaskID, Run: t.Run})
	}
	reply(w, http.StatusOK, answer)
}

// list pages by tokens that are the id after which to go on.
func (f *fakeServer) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, _ := strconv.Atoi(cmp.Or(q.Get("limit"), "50"))
	list := api.List{Tasks: []api.Summary{}}
	for _, t := range slices.Backward(f.tasks) {
		if before := q.Get("nextToken"); before != "" && string(t.TaskID) >= before {
			continue
		}
		if status := q.Get("status"); status != "" && string(t.Status) != status {
			continue
		}
		if len(list.Tasks) == min(limit, f.maxPage) {
			list.NextToken = string(list.Tasks[len(list.Tasks)-1].TaskID)
			break
		}
		list.Tasks = append(list.Tasks, t.Summary)
		t.step()
	}
	reply(w, http.StatusOK, list)
}

func (f *fakeServer) find(w http.ResponseWriter, r *http.Request) *fakeTask {
	for _, t := range f.tasks {
		if string(t.TaskID) == r.PathValue("id") {
			return t
		}
	}
	problem(w, http.StatusNotFound, "There is no task of this id.")
	return nil
}

func (f *fakeServer) get(w http.ResponseWriter, r *http.Request) {
	if t := f.find(w, r); t != nil {
		reply(w, http.StatusOK, t.Detail)
		t.step()
	}
}

func (f *fakeServer) history(w http.ResponseWriter, r *http.Request) {
	if t := f.find(w, r); t != nil {
		_, _ = fmt.Fprint(w, `{"events":[
			{"timestamp":"2026-03-01T12:00:00.000Z","type":"TaskStateEntered","id":1,"previousEventId":0,"stateEnteredEventDetails":{"name":"Process"}},
			{"timestamp":"2026-03-01T12:00:01.000Z","type":"TaskFailed","id":2,"previousEventId":1,"taskFailedEventDetails":{"resourceType":"lambda","error":"WorkerError","cause":"simulated\nfailure"}}
		],"source":"attempts"}`)
	}
}

func (f *fakeServer) redrive(w http.ResponseWriter, r *http.Request) {
	t := f.find(w, r)
	if t == nil {
		return
	}
	if t.Status != task.DLQ {
		problem(w, http.StatusConflict, "Only a task whose status is DLQ can be redriven.")
		return
	}
	t.Run++
	t.Status = task.Pending
	reply(w, http.StatusAccepted, api.Accepted{TaskID: t.TaskID, Run: t.Run, Status: t.Status, Message: "Task redriven successfully"})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(api.Problemf(status, "%s", detail))
}

// settle brings every task to the end of its script.
func (f *fakeServer) settle() {
	for _, t := range f.tasks {
		for len(t.next) > 0 {
			t.step()
		}
	}
}
