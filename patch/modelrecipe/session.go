package modelrecipe

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/remediator/remediator/patch"
)

// Temperature is low: the likeliest answer is wanted, not a varied one.
const Temperature = 0.1

// defaultTimeout bounds what a case waits for the model when nobody says otherwise.
const defaultTimeout = 2 * time.Minute

// Options are what the recipes need beside the model.
type Options struct {
	// Recipes are those that the model may choose among.
	Recipes []patch.Recipe
	// Redact takes secrets and personal data out of a text.
	Redact func(string) string
	// Timeout bounds what a whole case waits for the model.
	Timeout time.Duration
	Now     func() time.Time
}

// New returns the recipes that ask m, for one case.
func New(m Model, o Options) []patch.Recipe {
	s := &session{model: m, redact: o.Redact, timeout: o.Timeout, now: o.Now}
	if s.timeout <= 0 {
		s.timeout = defaultTimeout
	}
	if s.now == nil {
		s.now = time.Now
	}
	return []patch.Recipe{choice{session: s, recipes: o.Recipes}, edits{session: s, recipes: o.Recipes}}
}

// session is what one case has of the model.
type session struct {
	model   Model
	redact  func(string) string
	timeout time.Duration
	now     func() time.Time

	mu    sync.Mutex
	spent time.Duration
	dead  error // why the model cannot be asked; it is not asked again
}

// begin gives the time that is left for this case. The function it returns takes what was used off.
func (s *session) begin(ctx context.Context) (context.Context, func(), error) {
	if ctx == nil {
		ctx = context.Background()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead != nil {
		return nil, nil, fmt.Errorf("the model is not asked again in this case: %w", s.dead)
	}
	if s.spent >= s.timeout {
		return nil, nil, fmt.Errorf("the %s that a case waits for the model are used up; raise model.timeout", s.timeout)
	}
	start := s.now()
	ctx, cancel := context.WithTimeout(ctx, s.timeout-s.spent)
	return ctx, func() {
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.spent += s.now().Sub(start)
	}, nil
}

// fail notes that the model cannot be asked.
func (s *session) fail(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = err
	return err
}

// sitting is the exchanges of one draft.
type sitting struct {
	*session
	what   Description
	by     patch.Authorship
	budget int // tokens of a prompt
	answer int // tokens of an answer
}

// sit finds out what the model is and how much may be said.
func (s *session) sit(ctx context.Context, part patch.ModelPart, answer int) (*sitting, error) {
	d, err := s.model.Describe(ctx)
	if err != nil {
		return nil, s.fail(err)
	}
	answer = min(answer, d.Context/3)
	t := &sitting{session: s, what: d, answer: answer, budget: d.Context - answer - d.Context/50}
	t.by = patch.Authorship{Model: d.Name, ModelDigest: d.Digest, Server: d.Server, Part: part,
		Parameters: patch.Parameters{Temperature: Temperature, MaxTokens: answer, Context: d.Context, Dialect: d.Dialect}}
	return t, nil
}

// exchange asks once, reads the answer by read and, where it is refused, asks once more with the reason.
func (t *sitting) exchange(ctx context.Context, task string, sections []section, schema []byte, read func([]byte) error) error {
	refusal, err := t.once(ctx, task, sections, schema, read)
	if refusal == nil || err != nil {
		return err
	}
	again := append([]section{{name: "why the answer before was refused", text: t.shown(refusal.Error())}}, sections...)
	first := refusal
	refusal, err = t.once(ctx, task+"\nAn answer before this one was refused; the data says why. Give another one that avoids this.", again, schema, read)
	switch {
	case err != nil:
		return fmt.Errorf("%w (the first answer was refused: %w)", err, first)
	case refusal != nil:
		return fmt.Errorf("the model's answer is refused: %w (the first one: %w)", refusal, first)
	}
	return nil
}

// once makes one exchange. A refusal is about the answer, an error about everything else.
func (t *sitting) once(ctx context.Context, task string, sections []section, schema []byte, read func([]byte) error) (refusal, err error) {
	p, err := compose(ctx, t.model.Count, task, sections, t.budget)
	if err != nil {
		return nil, err
	}
	q := Question{System: system, User: p.user, Schema: schema, MaxTokens: t.answer, Temperature: Temperature}
	sum := sha256.Sum256([]byte(q.System + "\x00" + q.User + "\x00" + string(schema)))
	q.Seed = int(binary.BigEndian.Uint32(sum[:4]) >> 1) // the same prompt, the same seed
	t.by.PromptSHA256, t.by.AnswerSHA256, t.by.Parameters.Seed = hex.EncodeToString(sum[:]), "", q.Seed
	t.by.Left = strings.Join(p.left, "; ")
	t.by.Exchanges++
	a, err := t.model.Ask(ctx, q)
	if err != nil {
		return nil, t.fail(err)
	}
	answered := sha256.Sum256([]byte(a.Text))
	t.by.AnswerSHA256 = hex.EncodeToString(answered[:])
	if a.PromptTokens == 0 {
		a.PromptTokens = p.tokens
	}
	if a.AnswerTokens == 0 {
		a.AnswerTokens = t.model.Count(ctx, a.Text)
	}
	t.by.PromptTokens += a.PromptTokens
	t.by.AnswerTokens += a.AnswerTokens
	doc, err := object(a.Text)
	if err != nil {
		if a.Cut {
			err = fmt.Errorf("it was cut off after %d tokens: %w", t.answer, err)
		}
		return err, nil
	}
	return read(doc), nil
}
