package sfnexecutions

import (
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"tasks/internal/task"
)

// eventJSON returns an event as a value whose JSON is the API's: the SDK's
// fields have its names but for the first letter.
func eventJSON(e types.HistoryEvent) map[string]any {
	return object(reflect.ValueOf(e))
}

// object returns the fields of a struct that are set.
func object(v reflect.Value) map[string]any {
	fields := map[string]any{}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		value := v.Field(i)
		if value.Kind() == reflect.Pointer || value.Kind() == reflect.Map || value.Kind() == reflect.Slice {
			if value.IsNil() {
				continue
			}
			value = reflect.Indirect(value)
		}
		fields[strings.ToLower(field.Name[:1])+field.Name[1:]] = valueJSON(value)
	}
	return fields
}

func valueJSON(v reflect.Value) any {
	if t, ok := v.Interface().(time.Time); ok {
		return task.At(t)
	}
	if v.Kind() == reflect.Struct {
		return object(v)
	}
	return v.Interface()
}
