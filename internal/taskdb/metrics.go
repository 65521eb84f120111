package taskdb

import (
	"context"
	"time"

	"tasks/internal/task"
)

// Metrics keeps counts by minute.
type Metrics struct{ db *DB }

// Metrics returns the metrics.
func (db *DB) Metrics() *Metrics { return &Metrics{db} }

// Count implements task.Metrics.
func (m *Metrics) Count(ctx context.Context, name task.Metric, n int) error {
	minute := time.Now().Unix() / 60
	return m.db.write(ctx, Operation{Name: "Count"}, func(tx *tx) error {
		_, err := tx.exec(`INSERT INTO metrics (name, minute, count) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count`, string(name), minute, n)
		return err
	})
}

// Sum returns the count of a metric since a moment, by whole minutes.
func (m *Metrics) Sum(ctx context.Context, name task.Metric, since time.Time) (sum int, err error) {
	err = m.db.read(Operation{Name: "Sum"}, func() error {
		return m.db.reader.QueryRowContext(ctx, `SELECT coalesce(sum(count), 0) FROM metrics WHERE name = ? AND minute >= ?`, string(name), since.Unix()/60).Scan(&sum)
	})
	return sum, err
}
