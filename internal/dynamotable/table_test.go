package dynamotable_test

import (
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
	claim := task.ClaimRequest{Message: submitted.Message(), ExecutionID: execution, Token: "token", Now: task.At(time.Now()), Lease: time.Minute}
	if _, _, err := table.Claim(t.Context(), claim); !task.IsKind(err, task.Unavailable) {
		t.Fatalf("Claim: got %v, want an error of kind %s", err, task.Unavailable)
	}
	transport.Choose = nil
	got, err := table.Get(t.Context(), submitted.ID)
	if err != nil || got.Status != task.Pending || len(got.Attempts) > 0 {
		t.Errorf("got %s with the attempts %v, %v, want it PENDING without any", got.Status, got.Attempts, err)
	}
}
