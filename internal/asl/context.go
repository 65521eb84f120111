package asl

// contextObject builds $$ ("Accessing execution data from the Context object in
// Step Functions"). The input of an execution, being large, is shared.
func (x *Execution) contextObject(t *thread) *object {
	b := t.state.common()
	state := []member{
		{"Name", b.name},
		{"EnteredTime", formatTime(t.enteredAt)},
	}
	if b.hasRetryCount {
		state = append(state, member{"RetryCount", intNumber(int64(t.retryCount))})
	}
	members := []member{
		{"Execution", newObject(
			member{"Id", x.start.ExecutionID},
			member{"Input", x.input},
			member{"StartTime", formatTime(x.startTime)},
			member{"Name", x.start.Name},
			member{"RoleArn", x.start.RoleArn},
			member{"RedriveCount", number("0")},
		)},
		{"StateMachine", newObject(
			member{"Id", x.start.StateMachineID},
			member{"Name", x.start.StateMachineName},
		)},
		{"State", newObject(state...)},
	}
	for u := t; u != nil; u = u.parent {
		if u.item != nil {
			members = append(members, member{"Map", u.item})
			break
		}
	}
	return newObject(members...)
}

// evaluator evaluates expressions of t's state with $ as input.
func (x *Execution) evaluator(t *thread, input any) *evaluator {
	return &evaluator{
		input:     input,
		variables: t.variables,
		context:   func() *object { return x.contextObject(t) },
		random:    x.random,
	}
}

// random gives the execution's next random number: the same seed gives the same
// ones.
func (x *Execution) random() uint64 {
	x.drawn++
	return mix(x.start.Seed, x.drawn)
}

// mix is SplitMix64 at position n of the sequence that seed starts.
func mix(seed, n uint64) uint64 {
	z := seed + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
