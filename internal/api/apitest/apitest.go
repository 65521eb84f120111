// Package apitest holds what tests send to the API, and what they are answered,
// against api/openapi.yaml.
package apitest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	openapi "tasks/api"
	"tasks/internal/api"
)

// Exchange is a request and its answer.
type Exchange struct {
	Method        string
	Path          string // below the stage, with its query
	RequestHeader http.Header
	RequestBody   string
	Status        int
	Header        http.Header
	Body          string
}

// OfFunction returns the exchange of a function.
func OfFunction(req api.Request, resp api.Response) Exchange {
	e := Exchange{
		Method: req.RequestContext.HTTP.Method, Path: strings.TrimPrefix(req.RawPath, "/"+req.RequestContext.Stage),
		RequestHeader: http.Header{}, RequestBody: req.Body, Status: resp.StatusCode, Header: http.Header{}, Body: resp.Body,
	}
	if b, err := base64.StdEncoding.DecodeString(req.Body); req.IsBase64Encoded && err == nil {
		e.RequestBody = string(b)
	}
	if req.RawQueryString != "" {
		e.Path += "?" + req.RawQueryString
	}
	for name, value := range req.Headers {
		e.RequestHeader.Set(name, value)
	}
	for name, value := range resp.Headers {
		e.Header.Set(name, value)
	}
	return e
}

// Check fails the test for an answer that the description does not have, and for
// a request that was done and that it does not allow. A request that no
// operation takes must be answered with a problem.
func Check(t testing.TB, e Exchange) {
	t.Helper()
	if err := check(e); err != nil {
		t.Errorf("%s %s, answered with %d, is not as api/openapi.yaml describes it: %v", e.Method, cut(e.Path), e.Status, err)
	}
}

func check(e Exchange) error {
	d, err := parsed()
	if err != nil {
		return err
	}
	path, query, _ := strings.Cut(e.Path, "?")
	pattern, values := d.route(path)
	operation := d.at("paths", pattern, strings.ToLower(e.Method))
	if e.Method != strings.ToUpper(e.Method) { // "Get" is another method than "GET"
		operation = place{}
	}
	if pattern == "" || operation.node == nil {
		if e.Status < 400 {
			return fmt.Errorf("there is no such operation")
		}
		if e.Method == http.MethodHead {
			return nil // such an answer has no body
		}
		return d.at("components", "schemas", "Problem").validates(decoded(e.Body))
	}
	if err := answer(operation, e); err != nil {
		return err
	}
	if e.Status >= 400 {
		return nil
	}
	return request(d, pattern, operation, values, query, e)
}

// answer checks the answer of an operation.
func answer(operation place, e Exchange) error {
	described := operation.at("responses", strconv.Itoa(e.Status))
	if described.node == nil {
		return fmt.Errorf("the operation has no such status")
	}
	for name := range described.at("headers").members() {
		header := described.at("headers", name)
		value := e.Header.Get(name)
		if value == "" {
			if header.at("required").node == true {
				return fmt.Errorf("the header %s is missing", name)
			}
			continue
		}
		if err := header.at("schema").validates(scalar(header.at("schema"), value)); err != nil {
			return fmt.Errorf("the header %s: %w", name, err)
		}
	}
	contentType, _, err := mime.ParseMediaType(e.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("Content-Type: %w", err)
	}
	content := described.at("content", contentType)
	if content.node == nil {
		return fmt.Errorf("the status has no content of the type %s", contentType)
	}
	var body any = e.Body
	if strings.HasSuffix(contentType, "json") {
		body = decoded(e.Body)
	}
	return content.at("schema").validates(body)
}

// request checks a request that was done.
func request(d document, pattern string, operation place, path map[string]string, query string, e Exchange) error {
	given, err := url.ParseQuery(query)
	if err != nil {
		return err
	}
	for _, parameters := range []place{d.at("paths", pattern, "parameters"), operation.at("parameters")} {
		for i := range parameters.length() {
			p := parameters.at(strconv.Itoa(i))
			name, _ := p.at("name").node.(string)
			value, there := path[name]
			switch p.at("in").node {
			case "query":
				value, there = given.Get(name), given.Has(name)
				delete(given, name)
			case "header":
				value, there = e.RequestHeader.Get(name), len(e.RequestHeader.Values(name)) > 0
			}
			if !there {
				if p.at("required").node == true {
					return fmt.Errorf("the parameter %s is missing", name)
				}
				continue
			}
			if err := p.at("schema").validates(scalar(p.at("schema"), value)); err != nil {
				return fmt.Errorf("the parameter %s: %w", name, err)
			}
		}
	}
	if len(given) > 0 {
		return fmt.Errorf("there are no query parameters %q", slices.Sorted(maps.Keys(given)))
	}
	body := operation.at("requestBody")
	if body.node == nil {
		if e.RequestBody != "" && e.Method != http.MethodGet { // where a body means nothing (RFC 9110, 9.3.1)
			return fmt.Errorf("the operation takes no body")
		}
		return nil
	}
	return body.at("content", "application/json", "schema").validates(decoded(e.RequestBody))
}

// document is the description.
type document struct {
	place
	compiler *jsonschema.Compiler
}

// place is a place in the document, with the JSON pointer that leads there.
type place struct {
	d       *document
	pointer string
	node    any
}

const resource = "openapi.json"

var parsed = sync.OnceValues(func() (document, error) {
	var tree any
	if err := yaml.Unmarshal([]byte(openapi.Description), &tree); err != nil {
		return document{}, err
	}
	b, err := json.Marshal(tree)
	if err != nil {
		return document{}, err
	}
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return document{}, err
	}
	closeObjects(root)
	d := document{compiler: jsonschema.NewCompiler()}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(resource, root); err != nil {
		return document{}, err
	}
	d.place = place{d: &d, node: root}
	return d, nil
})

// closeObjects has every schema that names properties refuse others, where it
// says nothing about them. A client must take what it does not know; a test
// must not.
func closeObjects(node any) {
	switch n := node.(type) {
	case map[string]any:
		if _, ok := n["properties"]; ok && n["type"] == "object" && n["additionalProperties"] == nil {
			n["additionalProperties"] = false
		}
		for _, child := range n {
			closeObjects(child)
		}
	case []any:
		for _, child := range n {
			closeObjects(child)
		}
	}
}

// at returns the place below p that names lead to, with its references followed.
// A place that is not there has no node.
func (p place) at(names ...string) place {
	for _, name := range names {
		var child any
		switch n := p.node.(type) {
		case map[string]any:
			child = n[name]
		case []any:
			if i, err := strconv.Atoi(name); err == nil && i < len(n) {
				child = n[i]
			}
		}
		p = place{p.d, p.pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name), child}
		if m, ok := child.(map[string]any); ok {
			if ref, ok := m["$ref"].(string); ok {
				p = place{p.d, "", p.d.node}.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
			}
		}
	}
	return p
}

func (p place) members() map[string]any { m, _ := p.node.(map[string]any); return m }
func (p place) length() int             { a, _ := p.node.([]any); return len(a) }

// validates tells what the schema at p has against a value.
func (p place) validates(value any) error {
	if p.node == nil {
		return fmt.Errorf("there is no schema at %s", p.pointer)
	}
	compiling.Lock()
	schema, err := p.d.compiler.Compile(resource + "#" + p.pointer)
	compiling.Unlock()
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// compiling guards the compiler, which keeps what it has compiled.
var compiling sync.Mutex

// route returns the pattern of a path, and the values of its parameters.
func (d document) route(path string) (pattern string, parameters map[string]string) {
	got := strings.Split(path, "/")
	for _, pattern := range slices.Sorted(maps.Keys(d.at("paths").members())) {
		want := strings.Split(pattern, "/")
		parameters := map[string]string{}
		if slices.EqualFunc(want, got, func(w, g string) bool {
			name, isParameter := strings.CutPrefix(w, "{")
			if isParameter {
				parameters[strings.TrimSuffix(name, "}")] = g
			}
			return w == g || isParameter && g != ""
		}) {
			return pattern, parameters
		}
	}
	return "", nil
}

// decoded returns what a JSON document says, and what can't be read as its text.
func decoded(body string) any {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		return "no JSON: " + cut(body)
	}
	return v
}

// scalar returns a parameter's value as the schema's type.
func scalar(schema place, value string) any {
	if schema.at("type").node == "integer" {
		if n, err := strconv.Atoi(value); err == nil {
			return json.Number(strconv.Itoa(n))
		}
	}
	return value
}

func cut(s string) string { return s[:min(len(s), 200)] }
