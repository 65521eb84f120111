package cwmetrics_test

import (
	"context"
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
				return cwmetrics.New(awstest.Config(t, endpointVariable, transport), namespace, protocol), func(m task.Metric) int { return total(t, namespace, m) }
			})
		})
	}
}

// total returns the sum of a metric's counts.
func total(t *testing.T, namespace string, m task.Metric) int {
	t.Helper()
	direct := cloudwatch.NewFromConfig(awstest.Config(t, endpointVariable, nil), protocol)
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

func TestMetricsWhicheverRequestIsHit(t *testing.T) {
	t.Parallel()
	awstest.Sweep[task.Metrics](t, []awstest.Call{{Name: "Count", Prepare: func(t *testing.T, transport http.RoundTripper) awstest.Prepared {
		namespace := "Tasks/" + rand.Text()
		metrics := cwmetrics.New(awstest.Config(t, endpointVariable, transport), namespace, protocol)
		return awstest.Prepared{
			ID: namespace,
			Do: func(ctx context.Context) (any, error) { return nil, metrics.Count(ctx, task.DeadLettered, 1) },
			// A count that was sent twice is allowed.
			State: func() any { return total(t, namespace, task.DeadLettered) > 0 },
		}
	}}})
}

func TestOutage(t *testing.T) {
	t.Parallel()
	awstest.Outage(t, func(cfg aws.Config) task.Metrics { return cwmetrics.New(cfg, "Tasks") })
}
