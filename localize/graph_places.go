package localize

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// The kinds of nodes.
const (
	nodeService  = "service"
	nodeDatabase = "database"
	nodeCache    = "cache"
	nodeQueue    = "queue"
	nodeExternal = "external"
)

// place is a node of the graph.
type place struct{ name, kind, system string }

// places says which node an outgoing span calls that no span answers.
type places struct {
	services map[string]bool
	folded   map[string]string // lower-case name of a service to the name
	alias    map[string]string // address of a service, "" where several answer at it
	known    map[peerKey]place
	lately   *recent[peerKey, place] // in front of known
	outside  map[string]bool
}

// peerKey is all that a span says about what it calls.
type peerKey struct {
	peer, db, space, query, topic, broker, host, port string
	sends                                             bool
}

const (
	// maxOutside bounds the nodes that send no telemetry: addresses of clients or of a crawler's targets
	// have no end. Calls to the others are summed up in one node.
	maxOutside  = 500
	otherPeers  = "other peers"
	maxNodeName = 120 // bytes
	// aliasSample is from how many calls of an operation addresses of services are learned.
	aliasSample = 256
	// maxKnown bounds the cache of what spans call.
	maxKnown = 1 << 16
)

// newPlaces learns from the calls that are answered by a span which address is which service, so that
// calls without an answering span (not sampled, lost, failed before they arrived) lead to the same node.
func newPlaces(ops *operations, services map[string]bool, windows ...*window) *places {
	p := &places{services: services, folded: map[string]string{}, alias: map[string]string{}, known: map[peerKey]place{}, lately: &recent[peerKey, place]{}, outside: map[string]bool{}}
	for s := range services {
		p.learn(p.folded, strings.ToLower(s), s)
	}
	seen := make([]uint16, len(ops.list))
	for _, w := range windows {
		for _, r := range w.processes {
			p.learnResource(r)
		}
		for t := range w.traces {
			tr, recs := &w.traces[t], w.recs[t]
			for i, s := range tr.Spans {
				at := tr.Parent(i)
				if !recs[i].facts.is(crossing) || !recs[at].facts.kind().Outgoing() {
					continue
				}
				op := recs[at].op
				if int(op) < len(seen) && seen[op] < aliasSample {
					seen[op]++
					if name := peerName(tr.Spans[at].Peer()); name != "" && tr.Spans[at].Attrs.Get(telemetry.AttrMsgDestination) == "" {
						p.learn(p.alias, name, s.Resource.Service)
					}
				}
			}
		}
	}
	return p
}

// clone shares what was learned and copies which places were found.
func (p *places) clone() *places {
	c := *p
	c.known, c.lately, c.outside = maps.Clone(p.known), &recent[peerKey, place]{}, maps.Clone(p.outside)
	return &c
}

// learn notes that a name means a service; a name that means several means none.
func (p *places) learn(in map[string]string, name, service string) {
	if old, ok := in[name]; ok && old != service {
		service = ""
	}
	in[name] = service
}

func (p *places) learnResource(r *telemetry.Resource) {
	for _, key := range []string{"k8s.pod.ip", "k8s.pod.name", "host.ip", "service.instance.id", "host.name", "container.name"} {
		if v := r.Attrs.Get(key); v != "" && len(v) <= maxNodeName {
			p.learn(p.alias, v, r.Service)
		}
	}
	if r.Instance != "" && len(r.Instance) <= maxNodeName {
		p.learn(p.alias, r.Instance, r.Service)
	}
}

// service finds the service behind a name or an address.
func (p *places) service(name string) (string, bool) {
	if p.services[name] {
		return name, true
	}
	if s := p.alias[name]; s != "" {
		return s, true
	}
	if s := p.folded[strings.ToLower(name)]; s != "" {
		return s, true
	}
	// Inside a cluster a service's name is the first label of its address (Kubernetes: DNS for Services
	// and Pods). Elsewhere the first label means nothing: an outside provider may be called what a service is.
	first, rest, ok := strings.Cut(name, ".")
	if !ok {
		return "", false
	}
	inside := strings.HasSuffix(rest, ".svc") || strings.Contains(rest, ".svc.") || strings.HasSuffix(rest, ".local") || rest == "local" ||
		strings.HasSuffix(rest, ".internal") || rest == "internal" || strings.HasSuffix(rest, ".consul")
	if s := p.folded[strings.ToLower(first)]; inside && s != "" {
		return s, true
	}
	return "", false
}

// called is the node that an outgoing span calls, as far as the span says; its name is empty when the
// span says nothing.
func (p *places) called(s *telemetry.Span) place {
	a := s.Attrs
	k := peerKey{peer: a.Get(telemetry.AttrPeerService), db: a.Get(telemetry.AttrDBSystem), topic: a.Get(telemetry.AttrMsgDestination),
		broker: a.Get(telemetry.AttrMsgSystem), host: a.Get(telemetry.AttrServerAddress), sends: s.Kind == telemetry.KindProducer}
	if k.db != "" {
		k.space = a.Get(telemetry.AttrDBNamespace)
	}
	if k.host == "" {
		k.host = a.First(telemetry.AttrURLFull, telemetry.AttrRPCService, "network.peer.address")
		if len(k.host) > 2*maxNodeName {
			k.host = k.host[:2*maxNodeName]
		}
	}
	k.port = a.First(telemetry.AttrServerPort, "network.peer.port")
	if k.db == "" && a.Get(telemetry.AttrDBQuery) != "" {
		k.query = "sql"
	}
	slot := 3*texture(k.peer) + 5*texture(k.db) + 7*texture(k.space) + 11*texture(k.topic) + 13*texture(k.host) + 17*texture(k.port)
	at, ok := p.lately.get(slot, k)
	if ok {
		return at
	}
	if at, ok = p.known[k]; !ok {
		at = p.find(s, &k)
		if len(p.known) < maxKnown {
			p.known[k] = at
		}
	}
	p.lately.put(slot, k, at)
	return at
}

func (p *places) find(s *telemetry.Span, k *peerKey) place {
	at := place{name: peerName(s.Peer()), kind: nodeExternal}
	byPort := systemOfPort(k.port)
	switch {
	case k.db != "" || k.query != "" || k.peer == "" && k.topic == "" && isDatabase(byPort):
		at.kind, at.system = nodeDatabase, nonEmpty(shortName(k.db), byPort)
		if isCache(at.system) {
			at.kind = nodeCache
		}
		// Without a name of a database the host tells two of a kind apart; the number of a cache's
		// keyspace does not.
		if host := peerName(k.host); k.peer == "" && k.db != "" && host != "" && (k.space == "" || at.kind == nodeCache) {
			at.name = shortName(k.db) + ":" + host
		}
		at.name = nonEmpty(at.name, nonEmpty(at.system, "database"))
		if p.services[at.name] && k.peer != "" {
			at = place{name: at.name, kind: nodeService}
		}
	case k.sends || k.topic != "" || byPort != "":
		return p.queue(s, byPort)
	default:
		if name, ok := p.service(at.name); ok {
			return place{name: name, kind: nodeService}
		}
	}
	return p.bounded(at)
}

// queue is the queue or topic that a span sends to or receives from.
func (p *places) queue(s *telemetry.Span, system string) place {
	at := place{kind: nodeQueue, system: nonEmpty(shortName(s.Attrs.Get(telemetry.AttrMsgSystem)), system)}
	at.name = peerName(telemetry.NormalName(s.Attrs.Get(telemetry.AttrMsgDestination)))
	if at.name == "" && s.Kind == telemetry.KindProducer {
		at.name = peerName(s.Peer())
		if name, ok := p.service(at.name); ok {
			return place{name: name, kind: nodeService}
		}
	}
	if at.name == "" {
		at.name = at.system
	}
	if p.services[at.name] {
		at.name += " (queue)" // a topic may be called what a service is
	}
	return p.bounded(at)
}

// bounded sums up nodes beyond the limit.
func (p *places) bounded(at place) place {
	if at.name == "" || p.outside[at.name] {
		return at
	}
	if len(p.outside) >= maxOutside {
		return place{name: otherPeers, kind: nodeExternal}
	}
	p.outside[at.name] = true
	return at
}

// peerName makes the name of a node of what a span calls its peer: a URL gives its host, without
// credentials, path and query.
func peerName(s string) string {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		rest = strings.TrimLeft(rest, "/")
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			rest = rest[:i]
		}
		if i := strings.LastIndexByte(rest, '@'); i >= 0 {
			rest = rest[i+1:]
		}
		s = rest
		if h, port, ok := strings.Cut(s, ":"); ok && !strings.Contains(port, ":") && !isLoopback(h) {
			s = h
		}
	}
	return shortName(strings.TrimSuffix(s, "."))
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func shortName(s string) string { return shorten(strings.TrimSpace(s), maxNodeName) }

// isCache says that a system of db.system.name keeps copies, not the data itself.
func isCache(system string) bool {
	return slices.Contains([]string{"redis", "memcached", "valkey", "keydb", "dragonfly", "hazelcast", "infinispan", "ehcache", "geode", "cache"}, strings.ToLower(system))
}

func isDatabase(system string) bool { return system != "" && system != "kafka" && system != "rabbitmq" }

// systemOfPort names the system whose port is registered with IANA or set by its vendor, for calls that
// say nothing but an address.
func systemOfPort(port string) string {
	switch port {
	case "5432":
		return "postgresql"
	case "3306":
		return "mysql"
	case "1433":
		return "microsoft.sql_server"
	case "1521":
		return "oracle.db"
	case "27017":
		return "mongodb"
	case "6379":
		return "redis"
	case "11211":
		return "memcached"
	case "9042":
		return "cassandra"
	case "9092":
		return "kafka"
	case "5672":
		return "rabbitmq"
	}
	return ""
}
