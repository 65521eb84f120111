package asl

import (
	"strings"
	"testing"
)

const library = `{"books": [
	{"title": "A", "price": 8.95, "tags": ["x", "y"], "in stock": true},
	{"title": "B", "price": 22, "isbn": "1"},
	{"title": "C", "price": 8, "isbn": null}],
	"a-b": 1, "a.b": 2, "x:y/z@1,2=3": 4, "ünï": 3, "limit": 10, "o": {"x": {"title": "D"}}}`

func TestPathsSelect(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		`$.limit`:                             `10`,
		`$['limit']`:                          `10`,
		`$["limit"]`:                          `10`,
		`$.a-b`:                               `1`,
		`$['a.b']`:                            `2`,
		`$.a\.b`:                              `2`,
		`$.x:y/z@1,2=3`:                       `4`,
		`$.ünï`:                               `3`,
		`$.books[0].title`:                    `"A"`,
		`$.books[-1].title`:                   `"C"`,
		`$.books[0]['in stock']`:              `true`,
		`$.books[0].tags`:                     `["x","y"]`,
		`$.books[-3].title`:                   `"A"`,
		`$.books[-1,0].title`:                 `["C","A"]`,
		`$.books[2,-4,3,-3].title`:            `["C","A"]`, // what is not there is left out
		`$.books[*].tags[-1]`:                 `["y"]`,
		`$.books[*].tags[-2]`:                 `["x"]`,
		`$.books[*].tags[-3]`:                 `[]`,
		`$.books[*].tags[2]`:                  `[]`,
		`$.books[:-1].title`:                  `["A","B"]`,
		`$.books[-9:1].title`:                 `["A"]`,
		`$.books[:-9].title`:                  `[]`,
		`$.books[*].title`:                    `["A","B","C"]`,
		`$.books[0,2].title`:                  `["A","C"]`,
		`$.books[1:].title`:                   `["B","C"]`,
		`$.books[:2].title`:                   `["A","B"]`,
		`$.books[-2:].title`:                  `["B","C"]`,
		`$.books[::2].title`:                  `["A","C"]`,
		`$.books[0:9:1].title`:                `["A","B","C"]`,
		`$..title`:                            `["A","B","C","D"]`,
		`$.o..['title']`:                      `["D"]`,
		`$.o.*.title`:                         `["D"]`,
		`$.books[0]['title','price']`:         `[{"title":"A","price":8.95}]`,
		`$.books[?(@.isbn)].title`:            `["B","C"]`,
		`$.books[?(!@.isbn)].title`:           `["A"]`,
		`$.books[?(@.price < $.limit)].title`: `["A","C"]`,
		`$.books[?(@.price >= 8.0 && @.price<9 || @.title == 'B')].title`: `["A","B","C"]`,
		`$.books[?(@.title != "A")].title`:                                `["B","C"]`,
		`$.books[?(@.isbn == null)].title`:                                `["C"]`,
		`$.books[?(@.title =~ /[ab]/i)].title`:                            `["A","B"]`,
		`$.books[?(@.title in ['A', 'C'])].title`:                         `["A","C"]`,
		`$.books[0].tags[?(@ == 'x')]`:                                    `[]`, // @ is an object or nothing
		`$.books[?(@.title nin ['A', 'C'])].title`:                        `["B"]`,
		`$.books[?(@.tags contains 'y')].title`:                           `["A"]`,
		`$.books[?(@.tags size 2)].title`:                                 `["A"]`,
		`$.books[?(@.title > 'A' && @.title <= 'B')].title`:               `["B"]`,
		`$.books[?(@.title size 1 && @.price <= 8)].title`:                `["C"]`,
		`$.books[?('A' == @.title)].price`:                                `[8.95]`,
		`$.books[?(@.title contains 'A')].price`:                          `[8.95]`,
		`$.books[?(@.price > 'A')]`:                                       `[]`,
		`$.books[?(@.tags empty false)].title`:                            `["A"]`,
		`$.books[?((@.price > 8) && (@.price < 20))].title`:               `["A"]`,
		`$.nothing[*].x`:                                                  `[]`,
		`$.nothing..x`:                                                    `[]`,
		`$.limit[1:2]`:                                                    `[]`,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			p, err := parsePath(path)
			if err != nil {
				t.Fatal(err)
			}
			v, err := decode([]byte(library), nil)
			if err != nil {
				t.Fatal(err)
			}
			got, missing := p.find(v)
			if missing != "" || !sameJSON(string(encode(got)), want) {
				t.Errorf("got %s %s, want %s", encode(got), missing, want)
			}
		})
	}
}

func TestDefinitePathsSayWhyTheyFindNothing(t *testing.T) {
	t.Parallel()
	v, err := decode([]byte(library), nil)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		`$.x`:                `No results for path: $['x']`,
		`$.o.x.y`:            `No results for path: $['o']['x']['y']`,
		`$.x.y.z`:            `Missing property in path $['x']`,
		`$.o.y.z`:            `Missing property in path $['o']['y']`,
		`$.books[7]`:         `No results for path: $['books'][7]`,
		`$.books[3]`:         `No results for path: $['books'][3]`,
		`$.books[-4]`:        `No results for path: $['books'][-4]`,
		`$.limit.x`:          `Expected to find an object with property ['x'] in path $['limit'] but found 'java.lang.Integer'. This is not a json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JacksonJsonProvider'.`,
		`$.books[2].isbn[0]`: `The path $['books'][2]['isbn'] is null`,
		`$.o.x[0]`:           `Filter: [0] can only be applied to arrays. Current context is: {title=D}`,
		`$.limit[0]`:         `Filter: [0] can only be applied to arrays. Current context is: 10`,
	} {
		p, err := parsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, got := p.find(v); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestPathsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		``, `a`, `.a`, `$.`, `$..`, `$[`, `$[]`, `$['a`, `$['a]`, `$[a]`, `$.a[1`, `$.a[1,]`, `$.a[1:2:0]`, `$.a[1:2:-1]`, `$.a b`,
		`$.a[?(@.b]`, `$.a[?@.b]`, `$.a[?(@.b ==)]`, `$.a[?(1)]`, `$.a[?(@.b =~ 'x')]`, `$.a[?(@.b =~ /(/)]`, `$.a[?($$.b == 1)]`,
		`$.a.length()`, `$.a[99999999999]`, `$.a[?(@.b in [1, @.c])]`,
	} {
		if p, err := parsePath(path); err == nil {
			t.Errorf("%q: got %+v, want an error", path, p)
		}
	}
}

func TestReferencePaths(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		`$`: true, `$.a`: true, `$['a'].b`: true, `$.a[0].b`: true,
		`$.a[-1]`: false, `$.a[-1].b`: false, `$.a[0,1]`: false, `$.a[*]`: false, `$..a`: false, `$$.a`: false, `$a`: false, `a`: false,
	} {
		if _, err := parseReferencePath(path); (err == nil) != want {
			t.Errorf("%s: got %v, want it taken: %t", path, err, want)
		}
	}
}

func TestPathsThatVisitTooMuchFail(t *testing.T) {
	t.Parallel()
	deep, err := decode([]byte(strings.Repeat("[", 900)+strings.Repeat("]", 900)), nil)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := decode([]byte("["+strings.TrimSuffix(strings.Repeat("{},", 10_000), ",")+"]"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for path, v := range map[string]any{
		`$..*..*..*..*`:         deep,
		`$[?($[?($[?(@.x)])])]`: wide,
		`$[?('a' in $)]`:        wide,
	} {
		p, err := parsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, missing := p.find(v); missing != tooManyVisits {
			t.Errorf("%s: got %.100s, %q, want %q", path, encode(got), missing, tooManyVisits)
		}
	}
	p, err := parsePath(`$..*`)
	if err != nil {
		t.Fatal(err)
	}
	if got, missing := p.find(deep); missing != "" || len(got.([]any)) != 899 {
		t.Errorf("$..*: got %.100s, %q, want all", encode(got), missing)
	}
}
