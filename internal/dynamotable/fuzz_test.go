package dynamotable

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"tasks/internal/task"
)

// FuzzRecord checks that an item that others have changed is refused or read as
// a task whose record reads as the same.
func FuzzRecord(f *testing.F) {
	const id = task.ID("01939a3e-7c00-7000-8000-000000000001")
	now := task.At(time.Now())
	f.Add("PENDING", "1", "1767323045678", "2", "E", "", true)
	f.Add("DONE", "-1", "1e400", "0.5", "", "\xff", false)
	f.Add("", "", "x", "99999999999999999999", "", "", true)
	f.Fuzz(func(t *testing.T, status, run, at, number, errorType, answer string, isList bool) {
		full := task.New(id, answer, now.Time)
		full.Attempts = []task.Attempt{{Number: 1, Run: 1, StartedAt: now, ErrorType: errorType}}
		it, err := attributevalue.MarshalMap(newRecord(full))
		if err != nil {
			t.Fatal(err)
		}
		it["status"], it["run"], it["createdAt"] = &types.AttributeValueMemberS{Value: status}, &types.AttributeValueMemberN{Value: run}, &types.AttributeValueMemberN{Value: at}
		attempt := map[string]types.AttributeValue{"number": &types.AttributeValueMemberN{Value: number}, "errorType": &types.AttributeValueMemberS{Value: errorType}}
		it["attempts"] = &types.AttributeValueMemberM{Value: attempt}
		if isList {
			it["attempts"] = &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberM{Value: attempt}}}
		}
		r, err := decode(id, it)
		if err != nil {
			return
		}
		if r.ID != id || string(r.Status) != status || !isList {
			t.Errorf("%v was read as %+v", it, r)
		}
		again, err := attributevalue.MarshalMap(newRecord(r.task()))
		if err != nil {
			t.Fatal(err)
		}
		back, err := decode(id, again)
		if diff := cmp.Diff(newRecord(r.task()), back); err != nil || diff != "" {
			t.Errorf("written and read again: %v (-want +got):\n%s", err, diff)
		}
	})
}
