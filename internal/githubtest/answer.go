package githubtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// answer is what a handler returns.
type answer struct {
	status int
	body   any // nil for none
	header http.Header
	raw    []byte // in place of body, for other media types
	media  string
}

func ok(body any) answer      { return answer{status: http.StatusOK, body: body} }
func created(body any) answer { return answer{status: http.StatusCreated, body: body} }
func noContent() answer       { return answer{status: http.StatusNoContent} }

const docs = "https://docs.github.com/rest"

// failure is an error as GitHub words it: message, where to read, and the status again as text.
func failure(status int, format string, args ...any) answer {
	return answer{status: status, body: object{
		"message": fmt.Sprintf(format, args...), "documentation_url": docs, "status": strconv.Itoa(status),
	}}
}

func notFound() answer { return failure(http.StatusNotFound, "Not Found") }

// fieldError is one entry of a 422.
type fieldError struct{ resource, field, code, message string }

// invalid is a 422 of the kind "Validation Failed".
func invalid(errs ...fieldError) answer {
	list := []any{}
	for _, e := range errs {
		o := object{"resource": e.resource, "code": e.code}
		if e.field != "" {
			o["field"] = e.field
		}
		if e.message != "" {
			o["message"] = e.message
		}
		list = append(list, o)
	}
	a := failure(http.StatusUnprocessableEntity, "Validation Failed")
	a.body.(object)["errors"] = list
	return a
}

// unprocessable is a 422 with a message only, as the Git data API answers.
func unprocessable(format string, args ...any) answer {
	return failure(http.StatusUnprocessableEntity, format, args...)
}

// stamp writes a time as GitHub does; the zero time is null.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// nullable is null for an empty text.
func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// page cuts a list by per_page and page and adds the Link header. wrap makes the body of the cut list.
func (c *call) page(all []any, wrap func([]any) any) answer {
	per, page := c.number("per_page", 30), c.number("page", 1)
	per = min(max(per, 1), 100)
	page = max(page, 1)
	last := max((len(all)+per-1)/per, 1)
	from := min((page-1)*per, len(all))
	cut := all[from:min(from+per, len(all))]
	if cut == nil {
		cut = []any{}
	}
	a := ok(any(cut))
	if wrap != nil {
		a.body = wrap(cut)
	}
	link := ""
	add := func(n int, rel string) {
		q := url.Values{}
		for k, v := range c.r.URL.Query() {
			q[k] = v
		}
		q.Set("page", strconv.Itoa(n))
		if link != "" {
			link += ", "
		}
		link += fmt.Sprintf("<%s%s?%s>; rel=%q", c.s.api, c.path, q.Encode(), rel)
	}
	if page > 1 {
		add(page-1, "prev")
	}
	if page < last {
		add(page+1, "next")
		add(last, "last")
	}
	if page > 1 {
		add(1, "first")
	}
	if link != "" {
		a.header = http.Header{"Link": {link}}
	}
	return a
}

// counted is the usual wrapper of lists that carry their total.
func counted(name string, total int) func([]any) any {
	return func(cut []any) any { return object{"total_count": total, name: cut} }
}
