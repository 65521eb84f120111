package dynamotable

// For the tests.
const (
	MaxInlineAnswer = maxInlineAnswer
	PerShard        = perShard
	Shards          = shards
)

// For the tests.
var ShardOf = shardOf
