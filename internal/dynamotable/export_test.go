package dynamotable

// For the tests.
const (
	MaxInlineAnswer = maxInlineAnswer
	PerShard        = perShard
)

// For the tests.
var (
	ShardOf = shardOf
	ClassOf = classOf
)
