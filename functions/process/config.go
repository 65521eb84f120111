package process

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Config is what the function reads from its environment on either host.
type Config struct {
	// FailureRate is the share of attempts that the simulated worker fails, 0
	// to 1: FAILURE_RATE.
	FailureRate float64
	// Retention is how long a task is kept after its success, in whole days:
	// RETENTION_DAYS.
	Retention time.Duration
}

// LoadConfig reads the configuration. The error names everything that is wrong.
func LoadConfig(getenv func(string) string) (Config, error) {
	rate, err := strconv.ParseFloat(getenv("FAILURE_RATE"), 64)
	if err != nil || !(rate >= 0 && rate <= 1) { // so that NaN is refused too
		err = fmt.Errorf("FAILURE_RATE is %q: want a number from 0 to 1", getenv("FAILURE_RATE"))
	}
	days, errDays := strconv.Atoi(getenv("RETENTION_DAYS"))
	if errDays != nil || days < 1 || days > 3650 {
		errDays = fmt.Errorf("RETENTION_DAYS is %q: want a whole number from 1 to 3650", getenv("RETENTION_DAYS"))
	}
	if err := errors.Join(err, errDays); err != nil {
		return Config{}, err
	}
	return Config{FailureRate: rate, Retention: time.Duration(days) * 24 * time.Hour}, nil
}
