package cwmetrics_test

import (
	"crypto/rand"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/schemas"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go/transport/http/protocol/awsquery"

	"tasks/internal/awsconfig/awstest"
	"tasks/internal/cwmetrics"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

const (
	endpointVariable = "TASKS_TEST_CLOUDWATCH_ENDPOINT"
	// protocolVariable is "query" for an implementation that knows the old
	// protocol alone, not the SDK's.
	protocolVariable = "TASKS_TEST_CLOUDWATCH_PROTOCOL"
)

func protocol(o *cloudwatch.Options) {
	if os.Getenv(protocolVariable) == "query" {
		o.Protocol = awsquery.New(schemas.GraniteServiceVersion20100801)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	for name, transport := range map[string]http.RoundTripper{
		"over a good way": nil,
		"over an unreliable way": &awstest.Transport{
			Choose: awstest.Rotate(awstest.Lost, awstest.None, awstest.ServerError),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tasktest.ExerciseMetrics(t, func(t *testing.T) (task.Metrics, func(task.Metric) int) {
				namespace := "Tasks/" + rand.Text()
				direct := cloudwatch.NewFromConfig(awstest.Config(t, endpointVariable, nil), protocol)
				total := func(m task.Metric) int {
					out, err := direct.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
						Namespace: &namespace, MetricName: aws.String(string(m)), Period: aws.Int32(60),
						StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now().Add(time.Hour)),
						Statistics: []types.Statistic{types.StatisticSum}, Unit: types.StandardUnitCount,
					})
					if err != nil {
						t.Fatalf("get statistics: %v", err)
					}
					sum := 0.0
					for _, point := range out.Datapoints {
						sum += *point.Sum
					}
					return int(sum)
				}
				return cwmetrics.New(awstest.Config(t, endpointVariable, transport), namespace, protocol), total
			})
		})
	}
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	transport := &awstest.Transport{Choose: func(string, int) awstest.Fault { return awstest.Lost }}
	metrics := cwmetrics.New(awstest.Config(t, endpointVariable, transport), "Tasks")
	if err := metrics.Count(t.Context(), task.DeadLettered, 1); !task.IsKind(err, task.Unavailable) {
		t.Errorf("got %v, want kind %s", err, task.Unavailable)
	}
}
