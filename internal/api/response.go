package api

import (
	"bytes"
	"encoding/json"

	"github.com/aws/aws-lambda-go/events"
)

// Request and Response are API Gateway's, payload format 2.0.
type (
	Request  = events.APIGatewayV2HTTPRequest
	Response = events.APIGatewayV2HTTPResponse
)

// JSON returns a response with body as JSON.
func JSON(status int, body any) Response { return respond(status, "application/json", body) }

func respond(status int, contentType string, body any) Response {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // for curl's sake: an answer looks as it was sent
	if err := enc.Encode(body); err != nil {
		panic(err) // the bodies are our own types, which always marshal
	}
	return Text(status, contentType, string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))))
}

// Text returns a response with body as it is.
func Text(status int, contentType, body string) Response {
	return Response{
		StatusCode: status,
		Headers: map[string]string{
			"Content-Type":           contentType,
			"Cache-Control":          "no-store",
			"X-Content-Type-Options": "nosniff",
		},
		Body: body,
	}
}
