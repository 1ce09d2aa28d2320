package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/remedy/docket/dockettest"
)

// node is one server of a cluster in a process of its own, so that losing it is kill -9. Its
// arguments are its name, its directory, its two ports, and the routes.
func node(_ context.Context, args []string) error {
	client, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	route, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	var routes []*url.URL
	for r := range strings.SplitSeq(args[4], ",") {
		u, err := url.Parse(r)
		if err != nil {
			return err
		}
		routes = append(routes, u)
	}
	s, err := server.NewServer(&server.Options{
		ServerName: args[0], Host: "127.0.0.1", Port: client, JetStream: true, StoreDir: args[1], NoSigs: true, NoLog: true, DisableJetStreamBanner: true,
		Cluster: server.ClusterOpts{Name: "three", Host: "127.0.0.1", Port: route}, Routes: routes,
	})
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		return errors.New("the node does not start")
	}
	fmt.Println("ready")
	s.WaitForShutdown()
	return nil
}

// cluster is three nodes.
type cluster struct {
	args  [3][]string
	nodes [3]*child
	url   string
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{}
	ports := freePorts(t, 6)
	dir := t.TempDir()
	var urls, routes []string
	for i := range c.args {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", ports[i]))
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[3+i]))
	}
	c.url = strings.Join(urls, ",")
	for i := range c.args {
		name := fmt.Sprintf("n%d", i)
		c.args[i] = []string{name, filepath.Join(dir, name), strconv.Itoa(ports[i]), strconv.Itoa(ports[3+i]), strings.Join(routes, ",")}
		c.start(t, i)
	}
	for _, n := range c.nodes {
		n.await(t, "ready")
	}
	return c
}

func (c *cluster) start(t *testing.T, i int) {
	t.Helper()
	c.nodes[i] = start(t, "node", c.args[i]...)
}

// lead is the node that leads a stream.
func (c *cluster) lead(t *testing.T, s jetstream.Stream) int {
	t.Helper()
	at := -1
	until(t, "a leader", func() bool {
		info, err := s.Info(t.Context())
		if err != nil || info.Cluster == nil {
			return false
		}
		for i := range c.args {
			if c.args[i][0] == info.Cluster.Leader {
				at = i
			}
		}
		return at >= 0
	})
	return at
}

// whole waits until all nodes have everything.
func (c *cluster) whole(t *testing.T, q *Queue) {
	t.Helper()
	for _, s := range []jetstream.Stream{q.records.stream, q.claims.stream, q.letters.stream, q.files, q.tasks[docket.CaseTask].stream} {
		until(t, "all replicas to be current", func() bool {
			info, err := s.Info(t.Context())
			if err != nil || info.Cluster == nil || info.Cluster.Leader == "" || len(info.Cluster.Replicas) != 2 {
				return false
			}
			for _, r := range info.Cluster.Replicas {
				if !r.Current || r.Offline {
					return false
				}
			}
			return true
		})
	}
}

// freePorts are ports that nobody listened on a moment ago.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var out []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out
}

// eventually opens a queue on a cluster that may still be electing its leader.
func eventually(t *testing.T, o Options) *Queue {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o.Log = quiet(t)
	q, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(t, q) })
	return q
}

func TestAClusterConforms(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	n := 0
	dockettest.Conform(t, func(t *testing.T) dockettest.Backend {
		n++ // each test has its own streams
		q := eventually(t, Options{URL: c.url, Prefix: fmt.Sprintf("t%d", n), Attempts: 3, RetryFirst: 2 * time.Millisecond, RetryMost: 10 * time.Millisecond, AckWait: 5 * time.Second})
		if q.opts.Replicas != 3 {
			t.Fatalf("%d replicas in a cluster of three", q.opts.Replicas)
		}
		t.Cleanup(func() { erase(t, q) })
		return backend(q)
	})
}

// erase deletes the streams, of which a server does not take any number.
func erase(t *testing.T, q *Queue) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, s := range []jetstream.Stream{q.records.stream, q.claims.stream, q.letters.stream, q.files, q.telemetry, q.tasks[docket.AlertTask].stream, q.tasks[docket.CaseTask].stream, q.tasks[docket.EventTask].stream} {
		if err := q.js.DeleteStream(ctx, s.CachedInfo().Config.Name); err != nil {
			t.Error(err)
		}
	}
}

func TestAClusterThatLosesItsLeaderGoesOn(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	options := Options{URL: c.url, AckWait: 5 * time.Second, RetryFirst: 10 * time.Millisecond, RetryMost: 100 * time.Millisecond}
	one, two := eventually(t, options), eventually(t, options)
	c.whole(t, one)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	published, handled := map[string]bool{}, map[string]int{}
	counts, files := 0, 0
	var running sync.WaitGroup
	defer running.Wait()
	for _, q := range []*Queue{one, two} {
		running.Go(func() {
			err := q.Consume(ctx, docket.CaseTask, 2, func(_ context.Context, task docket.Task) error {
				mu.Lock()
				defer mu.Unlock()
				handled[task.ID]++
				return nil
			})
			if err != nil {
				t.Errorf("Consume: %v", err)
			}
		})
	}
	flow, stopFlow := context.WithCancel(ctx)
	var writers sync.WaitGroup
	writers.Go(func() {
		for i := 0; flow.Err() == nil; i++ {
			id := strconv.Itoa(i)
			// Not flow: what was begun is to end.
			if err := one.Publish(ctx, docket.Task{Kind: docket.CaseTask, ID: id}); err != nil {
				t.Errorf("publishing %s: %v", id, err)
				return
			}
			mu.Lock()
			published[id] = true
			mu.Unlock()
		}
	})
	writers.Go(func() {
		if err := two.Put(ctx, record("counter")); err != nil {
			t.Error(err)
			return
		}
		for flow.Err() == nil {
			r, err := two.Get(ctx, "counter")
			if err != nil {
				t.Errorf("reading the counter: %v", err)
				return
			}
			mu.Lock()
			r.Alerts++
			mu.Unlock()
			if err := two.Put(ctx, r); err != nil {
				// It alone writes, so nobody else can have been first.
				t.Errorf("counting: %v", err)
				return
			}
			mu.Lock()
			counts = r.Alerts
			mu.Unlock()
		}
	})
	writers.Go(func() {
		for i := 0; flow.Err() == nil; i++ {
			if err := one.PutBlob(ctx, "file", bytes.NewReader(content("1", i))); err != nil {
				t.Errorf("storing: %v", err)
				return
			}
			mu.Lock()
			files = i + 1
			mu.Unlock()
		}
	})
	// progress waits until everything has moved on since it was called.
	progress := func(what string) {
		t.Helper()
		mu.Lock()
		p, h, n, f := len(published), len(handled), counts, files
		mu.Unlock()
		until(t, "progress "+what, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(published) > p+50 && len(handled) > h+50 && counts > n+20 && files > f+2 || t.Failed()
		})
	}
	progress("at the start")
	for round := range 2 {
		lost := c.lead(t, one.tasks[docket.CaseTask].stream)
		c.nodes[lost].kill()
		progress(fmt.Sprintf("without node %d, which led the tasks, in round %d", lost, round))
		c.start(t, lost)
		c.nodes[lost].await(t, "ready")
		c.whole(t, one)
		progress("with all nodes again")
	}
	stopFlow()
	writers.Wait()
	until(t, "all published tasks", func() bool {
		mu.Lock()
		defer mu.Unlock()
		for id := range published {
			if handled[id] == 0 {
				return false
			}
		}
		return true
	})
	r, err := one.Get(t.Context(), "counter")
	if err != nil || r.Alerts != counts {
		t.Fatalf("the counter is %+v, want %d (%v)", r, counts, err)
	}
	f, err := two.Blob(t.Context(), "file")
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(f); err != nil || !bytes.Equal(data, content("1", files-1)) {
		t.Fatalf("the file is another: %d bytes, %v", len(data), err)
	}
	letters, err := one.DeadLetters(t.Context())
	if err != nil || len(letters) > 0 {
		t.Fatalf("dead letters %+v, error %v", letters, err)
	}
	again := 0
	for _, n := range handled {
		again += n - 1
	}
	t.Logf("%d tasks published, %d handled more than once, %d counts, %d files", len(published), again, counts, files)
	cancel()
}
