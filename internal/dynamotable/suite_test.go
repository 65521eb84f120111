package dynamotable_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tasks/internal/awsconfig/awstest"
	"tasks/internal/dynamotable"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

func TestTable(t *testing.T) {
	t.Parallel()
	exerciseThrough(t, func() http.RoundTripper { return nil })
}

func TestTableWhenEveryAnswerIsLostOnce(t *testing.T) {
	t.Parallel()
	exerciseThrough(t, func() http.RoundTripper {
		return &awstest.Transport{Choose: awstest.Rotate(awstest.AppliedThenReset)}
	})
}

func TestTableOverAnUnreliableWay(t *testing.T) {
	t.Parallel()
	exerciseThrough(t, func() http.RoundTripper {
		stale := &staleIndex{last: map[string][]byte{}}
		return &awstest.Transport{
			Choose: awstest.Rotate(awstest.Throttled, awstest.None, awstest.Lost, awstest.ServerError, awstest.None, awstest.AppliedThenReset),
			Edit:   stale.edit,
		}
	})
}

func TestOutage(t *testing.T) {
	t.Parallel()
	awstest.Outage(t, func(cfg aws.Config) task.Store { return dynamotable.New(cfg, "tasks") })
}

func exerciseThrough(t *testing.T, transport func() http.RoundTripper) {
	tasktest.ExerciseStore(t, func(t *testing.T) task.Store {
		table, _, _ := open(t, transport())
		return table
	})
}

// staleIndex answers each query of the index with what its last answer was, and
// each batch with a part of it.
type staleIndex struct {
	mu   sync.Mutex
	last map[string][]byte // by request
}

type send = func(body []byte) (*http.Response, []byte, error)

func (s *staleIndex) edit(operation string, _ *http.Request, body []byte, send send) (*http.Response, []byte, error) {
	switch operation {
	case "Query":
		resp, fresh, err := send(body)
		if err != nil || resp.StatusCode != http.StatusOK {
			return resp, fresh, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		stale, asked := s.last[string(body)]
		s.last[string(body)] = fresh
		if !asked {
			stale = fresh
		}
		resp.Header.Del("X-Amz-Crc32")
		return resp, stale, nil
	case "BatchGetItem":
		return sendPart(body, send)
	}
	return send(body)
}

// sendPart asks for the first half of a batch, and answers that the other half
// was not processed.
func sendPart(body []byte, send send) (*http.Response, []byte, error) {
	type keys struct {
		Keys           []json.RawMessage
		ConsistentRead bool
	}
	var request struct{ RequestItems map[string]keys }
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, nil, err
	}
	unprocessed := map[string]keys{}
	for table, k := range request.RequestItems {
		if half := (len(k.Keys) + 1) / 2; half < len(k.Keys) {
			unprocessed[table] = keys{k.Keys[half:], k.ConsistentRead}
			request.RequestItems[table] = keys{k.Keys[:half], k.ConsistentRead}
		}
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, nil, err
	}
	resp, got, err := send(body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, got, err
	}
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(got, &answer); err != nil {
		return nil, nil, err
	}
	if answer["UnprocessedKeys"], err = json.Marshal(unprocessed); err != nil {
		return nil, nil, err
	}
	edited := new(bytes.Buffer)
	if err := json.NewEncoder(edited).Encode(answer); err != nil {
		return nil, nil, err
	}
	resp.Header.Del("X-Amz-Crc32")
	return resp, edited.Bytes(), nil
}
