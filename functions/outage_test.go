package functions_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"tasks/functions/redrive"
	"tasks/functions/status"
	"tasks/functions/submit"
	"tasks/internal/api"
	"tasks/internal/task"
)

// hungStore gives no answer while its caller waits for one.
type hungStore struct{ task.Store }

func hang(ctx context.Context) error {
	<-ctx.Done()
	return task.Errorf(task.Unavailable, "no answer: %w", context.Cause(ctx))
}

func (hungStore) Create(ctx context.Context, _ ...task.Submission) []task.Created {
	return []task.Created{{Err: hang(ctx)}}
}
func (hungStore) Counts(ctx context.Context) (task.Counts, error) { return task.Counts{}, hang(ctx) }
func (hungStore) Get(ctx context.Context, _ task.ID) (task.Task, error) {
	return task.Task{}, hang(ctx)
}
func (hungStore) List(ctx context.Context, _ task.Query) (task.Page, error) {
	return task.Page{}, hang(ctx)
}
func (hungStore) Redrive(ctx context.Context, _ task.Message, _ task.Time) (task.Task, bool, error) {
	return task.Task{}, false, hang(ctx)
}

// TestAnswersWhileTheStoreHangs checks that a client gets an answer of the
// function's, and not of its being killed.
func TestAnswersWhileTheStoreHangs(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	submits := &submit.Handler{Store: hungStore{}, Log: log}
	redrives := &redrive.Handler{Store: hungStore{}, Log: log}
	shows := &status.Handler{Store: hungStore{}, Log: log}
	id := map[string]string{"taskId": string(ordinary)}
	for _, row := range []struct {
		route  string
		handle func(context.Context, api.Request) (api.Response, error)
		req    api.Request
	}{
		{api.SubmitRoute, submits.Handle, api.Request{Body: `{"answer": "42"}`, Headers: map[string]string{"content-type": isJSON}}},
		{api.SubmitRoute, submits.Handle, api.Request{Body: `{"answer": "42"}`, Headers: map[string]string{"content-type": isJSON, "idempotency-key": "k"}}},
		{api.RedriveRoute, redrives.Handle, api.Request{PathParameters: id}},
		{api.RedriveAllRoute, redrives.Handle, api.Request{Body: `{}`, Headers: map[string]string{"content-type": isJSON}}},
		{api.StatsRoute, shows.Handle, api.Request{}},
		{api.ListRoute, shows.Handle, api.Request{}},
		{api.GetRoute, shows.Handle, api.Request{PathParameters: id}},
		{api.HistoryRoute, shows.Handle, api.Request{PathParameters: id}},
	} {
		t.Run(row.route, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				row.req.RouteKey = row.route
				resp, err := row.handle(ctx, row.req)
				if err != nil || resp.StatusCode != http.StatusServiceUnavailable || ctx.Err() != nil {
					t.Errorf("got %d %s, %v, with %v, want 503 in time", resp.StatusCode, resp.Body, err, ctx.Err())
				}
			})
		})
	}
}
