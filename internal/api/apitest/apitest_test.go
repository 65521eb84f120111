package apitest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tasks/internal/api"
)

// TestTheDescriptionHasEachRoute compares what it describes with what is served.
func TestTheDescriptionHasEachRoute(t *testing.T) {
	t.Parallel()
	d := mustParse(t)
	var got []string
	for path := range d.at("paths").members() {
		for method := range d.at("paths", path).members() {
			if method != "parameters" {
				got = append(got, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(slices.Sorted(slices.Values(api.Routes[:])), got); diff != "" {
		t.Errorf("operations (-served +described):\n%s", diff)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const id = "01939a3e-7c00-7000-8000-000000000001"
	submitted := func() Exchange {
		return Exchange{
			Method: "POST", Path: "/tasks", RequestBody: `{"answer": "42"}`, RequestHeader: http.Header{},
			Status: 202, Header: http.Header{"Content-Type": {"application/json"}, "Location": {"/local/tasks/" + id}},
			Body: `{"taskId": "` + id + `", "status": "PENDING", "message": "m"}`,
		}
	}
	listed := func() Exchange {
		return Exchange{
			Method: "GET", Path: "/tasks?limit=1", Status: 200,
			Header: http.Header{"Content-Type": {"application/json"}}, Body: `{"tasks": []}`,
		}
	}
	for name, e := range map[string]Exchange{"submit": submitted(), "list": listed()} {
		if err := check(e); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, spoilt := range map[string]func() Exchange{
		"an answer that is not described": func() Exchange { e := submitted(); e.Status = 201; return e },
		"a header that is missing":        func() Exchange { e := submitted(); e.Header.Del("Location"); return e },
		"a header that is wrong":          func() Exchange { e := submitted(); e.Header.Set("Location", "/tasks"); return e },
		"another content type":            func() Exchange { e := submitted(); e.Header.Set("Content-Type", "text/html"); return e },
		"an answer that is not JSON":      func() Exchange { e := submitted(); e.Body = "{"; return e },
		"a member that is missing":        func() Exchange { e := submitted(); e.Body = `{"status": "PENDING", "message": "m"}`; return e },
		"a member that is not described": func() Exchange {
			e := submitted()
			e.Body = strings.Replace(e.Body, "{", `{"new": 1, `, 1)
			return e
		},
		"a request's member that is not described": func() Exchange { e := submitted(); e.RequestBody = `{"answer": "42", "new": 1}`; return e },
		"a request that is too long": func() Exchange {
			e := submitted()
			e.RequestBody = `{"answer": "` + strings.Repeat("x", 262145) + `"}`
			return e
		},
		"a request's header that is wrong":  func() Exchange { e := submitted(); e.RequestHeader.Set("Idempotency-Key", "é"); return e },
		"a parameter that is not described": func() Exchange { e := listed(); e.Path = "/tasks?new=1"; return e },
		"a parameter that is wrong":         func() Exchange { e := listed(); e.Path = "/tasks?limit=0"; return e },
		"a number that is none":             func() Exchange { e := listed(); e.Path = "/tasks?limit=a"; return e },
		"a path that is not described":      func() Exchange { e := listed(); e.Path = "/jobs"; return e },
		"a method that is not described":    func() Exchange { e := listed(); e.Method = "PUT"; return e },
		"a refusal that is no problem": func() Exchange {
			e := listed()
			e.Status, e.Body = 400, `{"error": "no"}`
			return e
		},
		"an error message where only the gateway has one": func() Exchange {
			e := listed()
			e.Status, e.Body = 400, `{"message": "no"}`
			return e
		},
	} {
		if err := check(spoilt()); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if _, values := mustParse(t).route("/tasks/" + id + "/history"); !maps.Equal(values, map[string]string{"taskId": id}) {
		t.Errorf("got the parameters %v", values)
	}
}

func mustParse(t *testing.T) document {
	t.Helper()
	d, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return d
}
