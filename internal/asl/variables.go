package asl

import "strings"

// variables is one scope of variables: the execution's, or that of a branch or
// iteration, which sees the outer ones and assigns its own.
type variables struct {
	outer  *variables
	values *object
}

func (v *variables) get(name string) (any, bool) {
	for ; v != nil; v = v.outer {
		if v.values == nil {
			continue
		}
		if value, ok := v.values.get(name); ok {
			return value, true
		}
	}
	return nil, false
}

func (v *variables) assign(assigned *object) {
	if v.values == nil {
		v.values = emptyObject
	}
	for _, m := range assigned.members {
		v.values = v.values.with(m.key, m.value)
	}
}

// variableScope is what a scope of the definition assigns.
type variableScope struct {
	outer  *variableScope
	names  []string
	places map[string]string // name → the first Assign of it
}

// reservedVariable may not be assigned: it is JSONata's $states.
const reservedVariable = "states"

// assign parses Assign.
func (f *fields) assign(key string) *template {
	t := f.template(key)
	if t == nil {
		return nil
	}
	o := t.constant.(*object)
	for _, m := range o.members {
		name := strings.TrimSuffix(m.key, ".$")
		at := f.place(key) + "." + m.key
		switch {
		case !isVariableName(name):
			f.p.refuse(at, "%q is not a variable name", name)
		case name == reservedVariable:
			f.p.refuse(at, "the variable name %q is reserved", name)
		}
		scope := f.p.present
		if _, ok := scope.places[name]; !ok {
			scope.names = append(scope.names, name)
			scope.places[name] = at
		}
	}
	return t
}

// checkVariables reports names that a branch or an iteration assigns although a
// scope around it does ("Passing data between states with variables": names must
// be unique across inner and outer scopes).
func (p *parser) checkVariables() {
	for _, scope := range p.variables {
		for _, name := range scope.names {
			for outer := scope.outer; outer != nil; outer = outer.outer {
				if place, ok := outer.places[name]; ok {
					p.refuse(scope.places[name], "the variable %q is assigned in the scope around this one (%s)", name, place)
					break
				}
			}
		}
	}
}

func isVariableName(name string) bool {
	for i := 0; i < len(name); i++ {
		if !isNameStart(name[i]) && (i == 0 || name[i] < '0' || name[i] > '9') {
			return false
		}
	}
	return name != "" && len([]rune(name)) <= maxStateNameLength
}
