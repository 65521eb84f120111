package dynamotable

// For the tests.
const (
	MaxInlineAnswer = maxInlineAnswer
	HeadOfLarge     = headOfLarge
	PerShard        = perShard
)

// For the tests.
var (
	ShardOf = shardOf
	ClassOf = classOf
)
