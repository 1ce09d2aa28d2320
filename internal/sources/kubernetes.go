package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/remediator/remediator/localize"
)

// KubernetesOptions say which API server is asked for what. Without URL and Kubeconfig it is the one of the pod that the
// program runs in, else the one that kubectl would ask.
type KubernetesOptions struct {
	URL, Token string
	CA         []byte // in PEM; nil means the system's
	// Kubeconfig is a file that names server and credentials, Context one of its contexts. Since whoever writes the
	// configuration names it, one that starts programs or reads further files of credentials is refused.
	Kubeconfig, Context string
	Namespaces          []string // all when empty
	Selector            string   // label selector of what counts
	Timeout             time.Duration
	// PageSize is how many objects are listed at once. Default 500, as kubectl's.
	PageSize int64
	// Wrap goes around the transport; nil for none.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// Kubernetes says what was rolled out in a cluster. A new pod template gets a ReplicaSet of its own, from a Deployment and
// from a Rollout of Argo Rollouts alike, and a ControllerRevision from a StatefulSet and a DaemonSet: when those were made is
// when something was rolled out. The cluster keeps the last ten of each workload unless told otherwise.
type Kubernetes struct {
	client     kubernetes.Interface
	name       string
	namespaces []string
	selector   string
	pageSize   int64
}

const (
	// mostObjects bounds what is listed of one kind in one namespace.
	mostObjects = 20_000
	// mostOfAnswer bounds one page, which client-go reads into memory.
	mostOfAnswer = 64 << 20
)

// NewKubernetes makes a source of roll-outs; nothing is asked yet.
func NewKubernetes(o KubernetesOptions) (*Kubernetes, error) {
	if _, err := labels.Parse(o.Selector); err != nil {
		return nil, fmt.Errorf("kubernetes: selector: %w", err)
	}
	conf, err := o.restConfig()
	if err != nil {
		return nil, err
	}
	conf.Timeout = positive(o.Timeout, defaultTimeout)
	conf.UserAgent = "remediator"
	conf.QPS, conf.Burst = 20, 40
	conf.Wrap(func(next http.RoundTripper) http.RoundTripper {
		if o.Wrap != nil {
			next = o.Wrap(next)
		}
		return boundedAnswers{next}
	})
	client, err := kubernetes.NewForConfig(conf)
	if err != nil {
		return nil, fmt.Errorf("kubernetes at %s: %w", conf.Host, err)
	}
	k := &Kubernetes{client: client, name: "kubernetes at " + conf.Host, namespaces: slices.Clone(o.Namespaces), selector: o.Selector, pageSize: positive(o.PageSize, 500)}
	if len(k.namespaces) == 0 {
		k.namespaces = []string{metav1.NamespaceAll}
	}
	return k, nil
}

func (o KubernetesOptions) restConfig() (*rest.Config, error) {
	switch {
	case o.URL != "":
		return &rest.Config{Host: o.URL, BearerToken: o.Token, TLSClientConfig: rest.TLSClientConfig{CAData: o.CA}}, nil
	case o.Kubeconfig != "":
		conf, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(&clientcmd.ClientConfigLoadingRules{ExplicitPath: o.Kubeconfig},
			&clientcmd.ConfigOverrides{CurrentContext: o.Context}).ClientConfig()
		if err != nil {
			return nil, fmt.Errorf("kubernetes: kubeconfig %s: %w", o.Kubeconfig, err)
		}
		if conf.ExecProvider != nil || conf.AuthProvider != nil {
			return nil, fmt.Errorf("kubernetes: kubeconfig %s starts a program for its credentials, which a file named by a configuration may not: set url and token_env instead", o.Kubeconfig)
		}
		if conf.BearerTokenFile != "" {
			return nil, fmt.Errorf("kubernetes: kubeconfig %s takes its token from another file, which a file named by a configuration may not: put the token in it, or set url and token_env", o.Kubeconfig)
		}
		return conf, nil
	}
	if o.Context == "" {
		if conf, err := rest.InClusterConfig(); err == nil {
			return conf, nil
		} else if !errors.Is(err, rest.ErrNotInCluster) {
			return nil, fmt.Errorf("kubernetes: the account of this pod: %w", err)
		}
	}
	conf, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{CurrentContext: o.Context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubernetes: there is neither a pod's account nor a kubeconfig (%w); set url or kubeconfig", err)
	}
	return conf, nil
}

// boundedAnswers ends answers that are larger than any page should be.
type boundedAnswers struct{ next http.RoundTripper }

func (b boundedAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = &boundedBody{ReadCloser: resp.Body, left: mostOfAnswer}
	}
	return resp, err
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("%w: more than %d MiB", ErrTooLarge, mostOfAnswer>>20)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// Name implements ChangeSource.
func (k *Kubernetes) Name() string { return k.name }

// Deploys implements ChangeSource.
func (k *Kubernetes) Deploys(ctx context.Context, w Window) ([]localize.Deploy, error) {
	found := &workloads{current: map[string]*appsv1.Deployment{}}
	part := &Incomplete{Source: k.Name()}
	tried, failed := 0, 0
	var first error
	for _, ns := range k.namespaces {
		for _, kind := range []struct {
			name string
			list func(context.Context, metav1.ListOptions) (runtime.Object, error)
			use  func(runtime.Object)
		}{
			{"deployments.apps", func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
				return k.client.AppsV1().Deployments(ns).List(ctx, o)
			}, found.deployments},
			{"replicasets.apps", func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
				return k.client.AppsV1().ReplicaSets(ns).List(ctx, o)
			}, found.replicaSets},
			{"controllerrevisions.apps", func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
				return k.client.AppsV1().ControllerRevisions(ns).List(ctx, o)
			}, found.controllerRevisions},
		} {
			tried++
			cut, err := k.each(ctx, kind.list, kind.use)
			where := kind.name
			if ns != "" {
				where += " of namespace " + ns
			}
			switch {
			case err != nil:
				failed++
				err = k.explain(where, err)
				if first == nil {
					first = err
				}
				part.Missing = append(part.Missing, err.Error())
			case cut != "":
				part.Missing = append(part.Missing, where+": "+cut)
			}
			if ctx.Err() != nil {
				return nil, k.explain(where, ctx.Err())
			}
		}
	}
	if failed == tried {
		return nil, first
	}
	deploys := found.deploys(w)
	if len(part.Missing) > 0 {
		return deploys, part
	}
	return deploys, nil
}

// each lists one kind page by page. cut says why the list is not whole.
func (k *Kubernetes) each(ctx context.Context, list func(context.Context, metav1.ListOptions) (runtime.Object, error), use func(runtime.Object)) (cut string, err error) {
	options := metav1.ListOptions{Limit: k.pageSize, LabelSelector: k.selector}
	for seen := int64(0); ; {
		page, err := list(ctx, options)
		if apierrors.IsResourceExpired(err) && options.Continue != "" {
			return "the list changed while it was read: what is beyond its first pages is missing, try again", nil
		}
		if err != nil {
			return "", err
		}
		use(page)
		meta, ok := page.(metav1.ListInterface)
		if !ok || meta.GetContinue() == "" {
			return "", nil
		}
		if options.Continue = meta.GetContinue(); len(options.Continue) > 1<<16 {
			return "", errors.New("the server's token for the next page is too long")
		}
		if seen += k.pageSize; seen >= mostObjects {
			return fmt.Sprintf("only the first %d objects were looked at: name namespaces, or a selector", mostObjects), nil
		}
	}
}

// explain adds the next step to an error of client-go.
func (k *Kubernetes) explain(what string, err error) error {
	text := clip(err.Error(), excerpt)
	switch {
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s: %s: the credentials are not accepted (%s)", k.name, what, text)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s: %s may not be listed; docs/sources.md shows the role that allows it", k.name, what)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %s: no answer in time; raise timeout, or name namespaces: %w", k.name, what, context.DeadlineExceeded)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", k.name, context.Canceled)
	case strings.Contains(err.Error(), "serializer for text/html"), strings.Contains(err.Error(), "invalid character '<'"):
		return fmt.Errorf("%s answered with a page instead of JSON, as a login page or a proxy does; check the URL and the credentials", k.name)
	}
	return fmt.Errorf("%s: %s: %s", k.name, what, text)
}
