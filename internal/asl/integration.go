package asl

import (
	"slices"
	"strings"
)

// integration is what Parameters may and must have for a service integration
// that CreateStateMachine checks.
type integration struct {
	required, optional []string
}

// integrations are the ones whose parameters this package knows ("Invoke an AWS
// Lambda function with Step Functions", "Send messages to an Amazon SQS queue
// with Step Functions").
var integrations = map[string]integration{
	"arn:aws:states:::lambda:invoke": {
		required: []string{"FunctionName"},
		optional: []string{"ClientContext", "InvocationType", "Payload", "Qualifier"},
	},
	"arn:aws:states:::sqs:sendMessage": {
		required: []string{"QueueUrl", "MessageBody"},
		optional: []string{"DelaySeconds", "MessageAttributes", "MessageDeduplicationId", "MessageGroupId", "MessageSystemAttributes"},
	},
}

func (i integration) check(f *fields) {
	v, ok := f.obj.get("Parameters")
	if !ok {
		f.p.report(f.place("Parameters"), "is missing: the resource needs %s", strings.Join(i.required, " and "))
		return
	}
	o, ok := v.(*object)
	if !ok {
		return
	}
	for _, name := range i.required {
		if o.find(name) < 0 && o.find(name+".$") < 0 {
			f.p.report(f.place("Parameters"), "must have %s", name)
		}
	}
	for _, m := range o.members {
		name := strings.TrimSuffix(m.key, ".$")
		if !slices.Contains(i.required, name) && !slices.Contains(i.optional, name) {
			f.p.refuse(f.place("Parameters")+"."+m.key, "unknown field: the resource does not take it")
		}
	}
}
