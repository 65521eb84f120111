package dynamotable_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"tasks/internal/awsconfig/awstest"
	"tasks/internal/dynamotable"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

const endpointVariable = "TASKS_TEST_DYNAMODB_ENDPOINT"

// open returns the store in a new table, with its requests going through the
// transport, and the client and name of the table.
func open(t *testing.T, transport http.RoundTripper) (*dynamotable.Table, *dynamodb.Client, string) {
	t.Helper()
	direct := dynamodb.NewFromConfig(awstest.Config(t, endpointVariable, nil))
	name := "tasks-" + strings.ToLower(rand.Text())
	_, err := direct.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName:   &name,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("class"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String("byClass"),
			KeySchema: []types.KeySchemaElement{
				{AttributeName: aws.String("class"), KeyType: types.KeyTypeHash},
				{AttributeName: aws.String("pk"), KeyType: types.KeyTypeRange},
			},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}},
	})
	if err != nil {
		t.Fatalf("create table: %v", err)
	}
	t.Cleanup(func() {
		if _, err := direct.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
			t.Logf("table %s is left behind: %v", name, err)
		}
	})
	if err := dynamodb.NewTableExistsWaiter(direct).Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: &name}, 2*time.Minute); err != nil {
		t.Fatalf("create table: %v", err)
	}
	return dynamotable.New(awstest.Config(t, endpointVariable, transport), name), direct, name
}

func TestClasses(t *testing.T) {
	t.Parallel()
	for status, want := range map[task.Status]string{
		task.Pending: "open", task.Processing: "open", task.Failed: "open", task.Processed: "done", task.DLQ: "dead",
	} {
		if got := dynamotable.ClassOf(status); string(got) != want {
			t.Errorf("%s: got class %s, want %s", status, got, want)
		}
	}
}

func newID(t *testing.T) task.ID {
	t.Helper()
	id, err := task.NewID()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// idAt returns an id that was made at a time.
func idAt(t *testing.T, at time.Time) task.ID {
	t.Helper()
	digits := fmt.Sprintf("%012x", at.UnixMilli())
	return task.ID(digits[:8]+"-"+digits[8:]) + newID(t)[13:]
}

// TestALargeAnswerThatCannotBeReadOpensNoAttempt: an outage uses up none.
func TestALargeAnswerThatCannotBeReadOpensNoAttempt(t *testing.T) {
	t.Parallel()
	for _, expected := range []bool{false, true} {
		transport := &awstest.Transport{Choose: func(operation string, _ int) awstest.Fault {
			if operation == "GetItem" {
				return awstest.Lost
			}
			return awstest.None
		}}
		table, _, _ := open(t, transport)
		submitted := task.New(newID(t), strings.Repeat("x", dynamotable.MaxInlineAnswer+1), time.Now())
		if err := tasktest.Create(t.Context(), table, submitted); err != nil {
			t.Fatal(err)
		}
		if expected {
			table.ExpectLarge()
		}
		if _, _, err := table.Claim(t.Context(), firstClaim(submitted)); !task.IsKind(err, task.Unavailable) {
			t.Fatalf("Claim: got %v, want an error of kind %s", err, task.Unavailable)
		}
		transport.Choose = nil
		got, err := table.Get(t.Context(), submitted.ID)
		if err != nil || got.Status != task.Pending || len(got.Attempts) > 0 {
			t.Errorf("got %s with the attempts %v, %v, want it PENDING without any", got.Status, got.Attempts, err)
		}
	}
}

// firstClaim returns the claim of a task's first attempt.
func firstClaim(of task.Task) task.ClaimRequest {
	return task.ClaimRequest{Message: of.Message(), ExecutionID: execution, Token: "token", Now: task.At(time.Now()), Lease: time.Minute}
}

// TestALargeAnswerComesBackWhole wherever it is cut, in an item that an earlier version
// wrote, which has all of it, and when a read does not find the item yet.
func TestALargeAnswerComesBackWhole(t *testing.T) {
	t.Parallel()
	missed := 0
	miss := func(operation string, _ *http.Request, body []byte, send send) (*http.Response, []byte, error) {
		resp, answer, err := send(body)
		if operation == "GetItem" && bytes.Contains(body, []byte(`"ConsistentRead":false`)) {
			missed++
			return resp, []byte("{}"), err
		}
		return resp, answer, err
	}
	asBefore := func(client *dynamodb.Client, table string, id task.ID, answer string) error {
		whole := map[string]types.AttributeValue{":a": &types.AttributeValueMemberS{Value: answer}}
		_, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: &table, Key: key("answer#" + string(id)),
			UpdateExpression: aws.String("REMOVE rest SET answer = :a"), ExpressionAttributeValues: whole})
		if err != nil {
			return err
		}
		_, err = client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: &table, Key: key(string(id)), UpdateExpression: aws.String("REMOVE answerHead")})
		return err
	}
	for _, row := range []struct {
		name, answer string
		edit         func(string, *http.Request, []byte, send) (*http.Response, []byte, error)
		missed       int
		expected     bool // a large answer, by the claim
		prepare      func(client *dynamodb.Client, table string, id task.ID, answer string) error
	}{
		{name: "of one byte too many", answer: strings.Repeat("x", dynamotable.MaxInlineAnswer) + "y"},
		{name: "with a character across the end of its head", answer: strings.Repeat("x", dynamotable.HeadOfLarge-1) + strings.Repeat("é", dynamotable.MaxInlineAnswer)},
		{name: "not found at first", answer: strings.Repeat("xyz", dynamotable.MaxInlineAnswer), edit: miss, missed: 2},
		{name: "expected, not found at first", answer: strings.Repeat("xyz", dynamotable.MaxInlineAnswer), edit: miss, missed: 3, expected: true},
		{name: "of an earlier version", answer: strings.Repeat("xyz", dynamotable.MaxInlineAnswer), prepare: asBefore},
		{name: "expected, of an earlier version", answer: strings.Repeat("xyz", dynamotable.MaxInlineAnswer), prepare: asBefore, expected: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			missed = 0
			table, client, name := open(t, &awstest.Transport{Edit: row.edit})
			submitted := task.New(newID(t), row.answer, time.Now())
			if err := tasktest.Create(t.Context(), table, submitted); err != nil {
				t.Fatal(err)
			}
			if row.prepare != nil {
				if err := row.prepare(client, name, submitted.ID, row.answer); err != nil {
					t.Fatal(err)
				}
			}
			got, err := table.Get(t.Context(), submitted.ID)
			if err != nil || got.Answer != row.answer {
				t.Errorf("Get: got an answer of %d bytes, %v, want the one of %d", len(got.Answer), err, len(row.answer))
			}
			page, err := table.List(t.Context(), task.Query{Limit: 10})
			if err != nil || len(page.Tasks) != 1 || page.Tasks[0].Answer != row.answer {
				t.Errorf("List: got %d tasks, %v, want one with its answer", len(page.Tasks), err)
			}
			if row.expected {
				table.ExpectLarge()
			}
			_, got, err = table.Claim(t.Context(), firstClaim(submitted))
			if err != nil || got.Answer != row.answer {
				t.Errorf("Claim: got an answer of %d bytes, %v, want the one of %d", len(got.Answer), err, len(row.answer))
			}
			if row.missed != missed {
				t.Errorf("%d reads have not found the item, want %d", missed, row.missed)
			}
		})
	}
}

// TestAnAnswerOfAnotherLength than the record says is none.
func TestAnAnswerOfAnotherLength(t *testing.T) {
	t.Parallel()
	table, client, name := open(t, nil)
	submitted := task.New(newID(t), strings.Repeat("x", dynamotable.MaxInlineAnswer+1), time.Now())
	if err := tasktest.Create(t.Context(), table, submitted); err != nil {
		t.Fatal(err)
	}
	_, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: &name, Key: key("answer#" + string(submitted.ID)),
		UpdateExpression: aws.String("SET rest = :r"), ExpressionAttributeValues: map[string]types.AttributeValue{":r": &types.AttributeValueMemberS{Value: "xx"}}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := table.Get(t.Context(), submitted.ID); err == nil {
		t.Errorf("Get: got an answer of %d bytes, want an error", len(got.Answer))
	}
	if _, got, err := table.Claim(t.Context(), firstClaim(submitted)); err == nil {
		t.Errorf("Claim: got an answer of %d bytes, want an error", len(got.Answer))
	}
	table.ExpectLarge()
	if _, got, err := table.Claim(t.Context(), firstClaim(submitted)); err == nil {
		t.Errorf("Claim that expects a large answer: got one of %d bytes, want an error", len(got.Answer))
	}
	page, err := table.List(t.Context(), task.Query{Limit: 10})
	if err != nil || len(page.Tasks) != 1 || page.Tasks[0].Answer != "" {
		t.Errorf("List: got %d tasks, %v, want one without an answer", len(page.Tasks), err)
	}
}

// TestTheGuessOfAClaim is that the answer is as large as the last one's.
func TestTheGuessOfAClaim(t *testing.T) {
	t.Parallel()
	transport := &awstest.Transport{}
	table, _, _ := open(t, transport)
	small, large := "x", strings.Repeat("x", dynamotable.MaxInlineAnswer+1)
	type requests struct{ UpdateItem, GetItem int }
	for i, row := range []struct {
		answer string
		want   requests // of Claim and Finish
	}{
		{small, requests{2, 0}},
		{large, requests{3, 1}}, // the guess fails, and brings the record back
		{large, requests{2, 1}},
		{small, requests{2, 1}}, // there is no rest
		{small, requests{2, 0}},
	} {
		before := requests{transport.Count("UpdateItem"), transport.Count("GetItem")}
		succeed(t, table, row.answer, retention)
		if got := (requests{transport.Count("UpdateItem") - before.UpdateItem, transport.Count("GetItem") - before.GetItem}); got != row.want {
			t.Errorf("task %d: got %+v, want %+v", i+1, got, row.want)
		}
	}
}

func key(pk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}}
}
