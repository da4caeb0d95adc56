package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Longest identifier and shortest limit of every store that the shop may run on.
const idLengthMax = 128

var idForm = regexp.MustCompile(`^[A-Za-z0-9._:@-]{1,128}$`)

// field is a value out of JSON from outside, which knows where it stands, so that a refusal can name it: `items[0].qty`. The
// first refusal stays.
type field struct {
	value   any
	path    string
	refused *error
}

// check reads a value by its fields.
func check(value any, path string, read func(field)) error {
	var refused error
	read(field{value, path, &refused})
	return refused
}

func (f field) refuse(message string) {
	path := f.path
	if path == "" {
		path = "body"
	}
	if *f.refused == nil {
		*f.refused = invalid(path, message)
	}
}

// get gives a field of an object. Whether it must be there is decided by what it is read as; null is absent.
func (f field) get(name string) field {
	object, _ := f.value.(map[string]any)
	return field{object[name], strings.TrimPrefix(f.path+"."+name, "."), f.refused}
}

func (f field) isAbsent() bool { return f.value == nil }

// id is an identifier that is safe in a path and in a key.
func (f field) id() string {
	text, _ := f.value.(string)
	if !idForm.MatchString(text) {
		f.refuse(fmt.Sprintf("must be a text of 1 to %d letters, digits and `.`, `_`, `-`, `:`, `@`", idLengthMax))
	}
	return text
}

// text is one that is not blank.
func (f field) text(lengthMax int) string {
	text, _ := f.value.(string)
	if strings.TrimSpace(text) == "" || utf8.RuneCountInString(text) > lengthMax {
		f.refuse(fmt.Sprintf("must be a text of 1 to %d characters", lengthMax))
	}
	return text
}

// whole is a whole number.
func (f field) whole(least, most int64) int64 {
	number, _ := f.value.(json.Number)
	whole, err := strconv.ParseInt(number.String(), 10, 64)
	if err != nil || whole < least || whole > most {
		f.refuse(fmt.Sprintf("must be a whole number from %d to %d", least, most))
	}
	return whole
}

// list gives the elements of a list.
func (f field) list(least, most int) (elements []field) {
	list, _ := f.value.([]any)
	if len(list) < least || len(list) > most {
		f.refuse(fmt.Sprintf("must be a list of %d to %d elements", least, most))
		return nil
	}
	for i, element := range list {
		elements = append(elements, field{element, fmt.Sprintf("%s[%d]", f.path, i), f.refused})
	}
	return elements
}

// object is one, as it is.
func (f field) object() map[string]any {
	object, isObject := f.value.(map[string]any)
	if !isObject {
		f.refuse("must be a JSON object")
	}
	return object
}

// pathID is the identifier in a path, checked like one out of a body.
func pathID(r *http.Request, name string) (id string, err error) {
	err = check(r.PathValue("id"), name, func(segment field) { id = segment.id() })
	return id, err
}
