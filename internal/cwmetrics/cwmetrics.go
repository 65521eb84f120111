// Package cwmetrics counts in CloudWatch.
package cwmetrics

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"tasks/internal/task"
)

// Metrics are task.Metrics. Each count is a datum without dimensions.
type Metrics struct {
	client    *cloudwatch.Client
	namespace string
}

var _ task.Metrics = (*Metrics)(nil)

// New returns the metrics of a namespace.
func New(cfg aws.Config, namespace string, options ...func(*cloudwatch.Options)) *Metrics {
	return &Metrics{cloudwatch.NewFromConfig(cfg, options...), namespace}
}

// Count implements task.Metrics.
func (c *Metrics) Count(ctx context.Context, m task.Metric, n int) error {
	_, err := c.client.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{
		Namespace: &c.namespace,
		MetricData: []types.MetricDatum{{
			MetricName: aws.String(string(m)),
			Timestamp:  aws.Time(time.Now()),
			Value:      aws.Float64(float64(n)),
			Unit:       types.StandardUnitCount,
		}},
	})
	if err != nil {
		return task.Errorf(task.Unavailable, "count %s: %w", m, err)
	}
	return nil
}
