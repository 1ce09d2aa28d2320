package github_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/internal/github"
	"github.com/remediator/remediator/internal/githubtest"
)

// The permissions that the manifest asks for are enough for all that is done, and no write is among them that is
// not needed.
func TestLeastPermissionsSuffice(t *testing.T) {
	granted := map[string]string{}
	for _, p := range github.Permissions() {
		granted[p.Name] = p.Access
	}
	w := newWorldWith(t, githubtest.Options{Permissions: granted})
	c := w.client(t)
	i := w.incident(t, 0)
	if err := everything(t.Context(), c, i); err != nil {
		t.Fatal(err)
	}
	must(c.Mirror(t.Context(), repo, t.TempDir()))(t)
	must(c.MayWrite(t.Context(), repo, "alice"))(t)
	must(c.Reconcile(t.Context(), time.Now().Add(-time.Hour)))(t)
	p := must(c.FindPull(t.Context(), repo, i.branch()))(t)
	id := must(w.As("alice").Comment(w.repo, p.Number, "/remediator explain"))(t)
	if err := c.React(t.Context(), repo, id, "eyes"); err != nil {
		t.Error(err)
	}
	if err := c.ClosePull(t.Context(), repo, p.Number); err != nil {
		t.Error(err)
	}
	if err := c.DeleteBranch(t.Context(), repo, i.branch(), i.change.SHA); err != nil {
		t.Error(err)
	}
	n := 1
	for name, access := range granted {
		if access != "write" {
			continue
		}
		less := map[string]string{}
		for k, v := range granted {
			less[k] = v
		}
		less[name] = "read"
		w.SetPermissions("acme", less)
		n++
		if err := everything(t.Context(), w.client(t), w.incident(t, n)); err == nil {
			t.Errorf("everything works without %s: write; do not ask for it", name)
		}
	}
}

func TestReactionIsACourtesy(t *testing.T) {
	c, _ := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"message":"Resource not accessible by integration"}`))
	})
	if err := c.React(t.Context(), repo, 1, "eyes"); err != nil {
		t.Error(err)
	}
}

func TestTokenThatExpiredOrWasRevoked(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	i := w.incident(t, 0)
	if err := everything(t.Context(), c, i); err != nil {
		t.Fatal(err)
	}
	w.Expire()
	p := must(c.FindPull(t.Context(), repo, i.branch()))(t)
	w.Expire()
	if err := c.EnsureComment(t.Context(), repo, p.Number, "again", "x"); err != nil {
		t.Error(err)
	}
	w.Expire()
	must(c.Tip(t.Context(), repo, "main"))(t)
}

func TestInstallationThatWasRemoved(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	must(c.FindPull(t.Context(), repo, branch))(t)
	w.repo.Uninstall()
	w.Expire()
	_, err := c.FindPull(t.Context(), repo, branch)
	if err == nil || !strings.Contains(err.Error(), "install") {
		t.Fatalf("%v", err)
	}
}
