package dynamotable_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tasks/internal/awsconfig/awstest"
	"tasks/internal/dynamotable"
	"tasks/internal/task"
)

// TestKeysThatAreNotProcessed are asked for again, after a pause if the table gave none of
// them, and five times at most.
func TestKeysThatAreNotProcessed(t *testing.T) {
	t.Parallel()
	const all = 4                          // keys
	type item map[string]map[string]string // values by their types, by their names
	for name, test := range map[string]struct {
		given []int // how many items each answer gives; the last goes for all that follow
		asked []int // for how many keys, by request
		took  time.Duration
		want  task.Kind
	}{
		"all given":                   {given: []int{all}, asked: []int{4}},
		"a part each time":            {given: []int{1, 2, 1}, asked: []int{4, 3, 1}},
		"none, four times":            {given: []int{0, 0, 0, 0, 4}, asked: []int{4, 4, 4, 4, 4}, took: time.Second},
		"none, four times, and again": {given: []int{0, 0, 0, 0, 1, 0, 0, 0, 0, 3}, asked: []int{4, 4, 4, 4, 4, 3, 3, 3, 3, 3}, took: 2 * time.Second},
		"none, ever":                  {given: []int{0}, asked: []int{4, 4, 4, 4, 4}, took: time.Second, want: task.Unavailable},
		"none of the last":            {given: []int{3, 0}, asked: []int{4, 1, 1, 1, 1, 1}, took: time.Second, want: task.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var index []item
				want := map[string]bool{}
				for range all {
					id := string(newID(t))
					want[id] = true
					index = append(index, item{"pk": {"S": id}})
				}
				var asked []int
				table := dynamotable.New(awstest.FunctionConfig(awstest.Answers(func(operation string, body []byte) (int, string) {
					var request struct {
						RequestItems map[string]struct{ Keys []item }
					}
					if err := json.Unmarshal(body, &request); err != nil {
						t.Error(err)
					}
					answer := map[string]any{"Items": index} // of a Query: each shard has them all
					if operation == "BatchGetItem" {
						keys := request.RequestItems["tasks"].Keys
						given := test.given[min(len(asked), len(test.given)-1)]
						asked = append(asked, len(keys))
						answer = map[string]any{
							"Responses":       map[string][]item{"tasks": keys[:given]},
							"UnprocessedKeys": map[string]any{"tasks": map[string][]item{"Keys": keys[given:]}},
						}
					}
					document, _ := json.Marshal(answer)
					return http.StatusOK, string(document)
				})), "tasks")
				began := time.Now()
				page, err := table.List(t.Context(), task.Query{Limit: all})
				if task.KindOf(err) != test.want || (err == nil) != (test.want == "") {
					t.Fatalf("got %v, want kind %q", err, test.want)
				}
				if took := time.Since(began); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				if diff := cmp.Diff(test.asked, asked); diff != "" {
					t.Errorf("asked for (-want +got):\n%s", diff)
				}
				for _, listed := range page.Tasks {
					delete(want, string(listed.ID))
				}
				if err == nil && len(want) > 0 {
					t.Errorf("missing in the page: %v", want)
				}
			})
		})
	}
}
