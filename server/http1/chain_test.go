package http1

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/server/reply"
)

// Without this, a part of the handler chain might begin to read a field that plain requests do not tell, and the lane would
// answer without it. The chain reads fields of requests, and looks at those of replies that it is about to send.
func TestThePartsOfTheChainReadKnownFieldsOnly(t *testing.T) {
	known := append(odds(), slices.Collect(maps.Keys(told(new(reply.Request))))...)
	read := fieldsRead(t, "..")
	ofReplies := []string{"Access-Control-Allow-Headers", "Access-Control-Expose-Headers", "Cache-Control", "Content-Encoding", "Content-Length", "Content-Range", "Content-Security-Policy", "Content-Type", "Date", "Etag", "Last-Modified", "Link", "Location", "Vary"}
	for name, where := range read {
		if !slices.Contains(known, name) && !slices.Contains(ofReplies, name) {
			t.Errorf("%s reads %s: if that is a field of requests, Recognize and http2 must tell it or call such requests odd; if it is one of replies, name it here", where, name)
		}
	}
	for _, name := range []string{"Accept", "Range", "X-Forwarded-For", "Access-Control-Request-Method"} {
		if read[name] == "" {
			t.Errorf("%s is not found in the chain: this test looks in the wrong way", name)
		}
	}
}

// fieldsRead are the names of fields in header.Get, header.Values and header[…] of the chain, which lies below dir, and a place for each.
func fieldsRead(t *testing.T, dir string) map[string]string {
	t.Helper()
	read, files := map[string]string{}, token.NewFileSet()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && slices.Contains([]string{"certificate", "http1", "http2", "reply"}, entry.Name()) {
			return fs.SkipDir // no part of the chain
		}
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if name := fieldRead(n); name != "" {
				read[name] = files.Position(n.Pos()).String()
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// fieldRead is the name of the field that an expression reads, if it looks as if it did.
func fieldRead(n ast.Node) string {
	var argument ast.Expr
	switch n := n.(type) {
	case *ast.IndexExpr:
		argument = n.Index
	case *ast.CallExpr:
		called, ok := n.Fun.(*ast.SelectorExpr)
		switch {
		case !ok:
		case called.Sel.Name == "BasicAuth" && len(n.Args) == 0:
			return "Authorization"
		case called.Sel.Name == "Cookie" || called.Sel.Name == "Cookies":
			return "Cookie"
		case (called.Sel.Name == "Get" || called.Sel.Name == "Values") && len(n.Args) == 1:
			argument = n.Args[0]
		}
	}
	literal, ok := argument.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(literal.Value)
	if name := http.CanonicalHeaderKey(text); err == nil && (name == text || strings.Contains(text, "-")) {
		return name
	}
	return ""
}
