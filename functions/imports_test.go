package functions_test

import (
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// pkg is a package of this module: its own imports, and all that it is linked
// with.
type pkg struct {
	path          string
	imports, deps []string
}

func listPackages(t *testing.T) []pkg {
	t.Helper()
	list := exec.Command("go", "list", "-e", "-f", `{{.ImportPath}}|{{join .Imports " "}}|{{join .Deps " "}}`, "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	var pkgs []pkg
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		pkgs = append(pkgs, pkg{fields[0], strings.Fields(fields[1]), strings.Fields(fields[2])})
	}
	return pkgs
}

// within tells whether path is one of trees or below one.
func within(path string, trees ...string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool { return path == tree || strings.HasPrefix(path, tree+"/") })
}

// standard tells whether path is of the standard library: only its first
// elements have no dot, this module's aside.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return first != "tasks" && !strings.Contains(first, ".")
}

// oneMachine is what only the one-machine host and its tool are linked with.
var oneMachine = []string{
	"tasks/cmd", "tasks/internal/asl", "tasks/internal/client", "tasks/internal/console", "tasks/internal/cost",
	"tasks/internal/host", "tasks/internal/samtemplate", "tasks/internal/taskdb",
	"modernc.org", "github.com/aws/aws-sdk-go-v2/config",
}

const sdk = "github.com/aws/aws-sdk-go-v2/service"

// adapterOf returns the AWS service that the package is an adapter of, if any.
func adapterOf(p pkg) string {
	for _, i := range p.imports {
		if within(i, sdk) && within(p.path, "tasks/internal") {
			service, _, _ := strings.Cut(strings.TrimPrefix(i, sdk+"/"), "/")
			return service
		}
	}
	return ""
}

// TestImports holds the packages to the layers of the design. A rule looks at
// one import or dependency and tells what is wrong with it, or "".
func TestImports(t *testing.T) {
	t.Parallel()
	pkgs := listPackages(t)
	adapters := map[string]string{}
	for _, p := range pkgs {
		if service := adapterOf(p); service != "" {
			adapters[p.path] = service
		}
	}
	checked := map[string]int{}
	for _, p := range pkgs {
		check := func(rule string, paths []string, allowed func(path string) bool) {
			checked[rule]++
			for _, path := range paths {
				if !allowed(path) {
					t.Errorf("%s: %s imports %s", rule, p.path, path)
				}
			}
		}
		switch {
		case p.path == "tasks/internal/task":
			check("the domain knows no technology", p.deps, func(path string) bool {
				return standard(path) || path == "github.com/google/uuid"
			})
		case within(p.path, "tasks/internal/asl"):
			check("the engine knows nothing of tasks", p.deps, func(path string) bool {
				return !within(path, "tasks") || within(path, "tasks/internal/asl")
			})
		case within(p.path, "tasks/functions"):
			name, isMain := strings.CutSuffix(p.path, "/bootstrap")
			check("a function knows its host in its wiring alone", p.deps, func(path string) bool {
				switch {
				case within(path, "tasks/functions"):
					return isMain && path == name
				case within(path, oneMachine...):
					return false
				case within(path, "tasks/api", "tasks/internal/task", "tasks/internal/api", "tasks/internal/awslambda"):
					return true
				case within(path, "tasks", "github.com/aws/aws-sdk-go-v2"):
					return isMain
				}
				return true
			})
		case adapters[p.path] != "":
			check("an adapter has one client and no other adapter", p.imports, func(path string) bool {
				return adapters[path] == "" && (!within(path, sdk) || within(path, sdk+"/"+adapters[p.path]))
			})
		}
	}
	for _, name := range []string{"submit", "status", "redrive", "poller", "process", "monitor", "reconcile", "count"} {
		if !slices.ContainsFunc(pkgs, func(p pkg) bool { return p.path == path.Join("tasks/functions", name) }) {
			t.Errorf("go list does not know functions/%s", name)
		}
	}
	for _, rule := range []string{"the domain knows no technology", "the engine knows nothing of tasks"} {
		if checked[rule] == 0 {
			t.Errorf("nothing was checked for: %s", rule)
		}
	}
}
