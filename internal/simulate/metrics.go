package simulate

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func sortFloats(v []float64) { slices.Sort(v) }

// named is what one habit of collecting calls a quantity.
type named struct {
	name    string
	unit    string
	counter bool
	factor  float64
}

// names lists how each quantity is called: by OpenTelemetry's conventions, by Prometheus' exporters, and by people who
// name gauges themselves. An empty name is not collected.
func names(m measure, habit metricHabit, lang language) named {
	type row [3]named
	rows := map[measure]row{
		mCPU:          {{"k8s.pod.cpu_limit_utilization", "1", false, 1}, {"container_cpu_usage_ratio", "", false, 1}, {"cpu_utilization", "percent", false, 100}},
		mMemory:       {{"k8s.pod.memory.working_set", "By", false, 1}, {"container_memory_working_set_bytes", "", false, 1}, {"memory_mb", "MB", false, 1.0 / (1 << 20)}},
		mMemoryShare:  {{"k8s.pod.memory_limit_utilization", "1", false, 1}, {"", "", false, 0}, {"memory_utilization", "percent", false, 100}},
		mRestarts:     {{"k8s.container.restarts", "{restart}", false, 1}, {"kube_pod_container_status_restarts_total", "", true, 1}, {"", "", false, 0}},
		mThrottled:    {{"", "", false, 0}, {"container_cpu_cfs_throttled_ratio", "", false, 1}, {"", "", false, 0}},
		mPoolUsed:     {{"db.client.connection.count", "{connection}", false, 1}, {"db_pool_connections_active", "", false, 1}, {"db_pool_in_use", "", false, 1}},
		mPoolMax:      {{"db.client.connection.max", "{connection}", false, 1}, {"db_pool_connections_max", "", false, 1}, {"db_pool_size", "", false, 1}},
		mPoolWaiting:  {{"db.client.connection.pending_requests", "{request}", false, 1}, {"db_pool_connections_pending", "", false, 1}, {"", "", false, 0}},
		mPoolTimeouts: {{"db.client.connection.timeouts", "{timeout}", true, 1}, {"db_pool_connection_timeouts_total", "", true, 1}, {"", "", false, 0}},
		mInflight:     {{"http.server.active_requests", "{request}", false, 1}, {"http_requests_in_flight", "", false, 1}, {"active_requests", "", false, 1}},
		mRetransmits:  {{"", "", false, 0}, {"node_netstat_tcp_retrans_rate", "", false, 1}, {"tcp_retransmits_per_second", "", false, 1}},
		mP95:          {{"", "", false, 0}, {"", "", false, 0}, {"latency_p95_ms", "ms", false, 1000}},
		mErrorRate:    {{"", "", false, 0}, {"", "", false, 0}, {"error_rate_percent", "percent", false, 100}},
		mRequestRate:  {{"", "", false, 0}, {"", "", false, 0}, {"requests_per_second", "", false, 1}},
		mDuration:     {{"http.server.request.duration", "s", true, 1}, {"http_request_duration_seconds", "", true, 1}, {"", "", false, 0}},
		mErrors:       {{"", "", false, 0}, {"http_requests_failed_total", "", true, 1}, {"", "", false, 0}},
		mStoreCPU:     {{"system.cpu.utilization", "1", false, 1}, {"node_cpu_utilization_ratio", "", false, 1}, {"db_cpu_utilization", "percent", false, 100}},
		mStoreConns:   {{"postgresql.backends", "{connection}", false, 1}, {"pg_stat_activity_count", "", false, 1}, {"db_connections", "", false, 1}},
		mStoreQueries: {{"db.server.operations.rate", "{operation}/s", false, 1}, {"db_queries_per_second", "", false, 1}, {"db_queries_per_second", "", false, 1}},
		mStoreHits:    {{"redis.keyspace.hit_ratio", "1", false, 1}, {"redis_keyspace_hit_ratio", "", false, 1}, {"cache_hit_ratio", "", false, 1}},
		mStoreLatency: {{"system.disk.operation_time.average", "s", false, 1}, {"node_disk_io_time_seconds_average", "", false, 1}, {"disk_latency_ms", "ms", false, 1000}},
		mLag:          {{"kafka.consumer_group.lag", "{message}", false, 1}, {"kafka_consumergroup_lag", "", false, 1}, {"queue_depth", "", false, 1}},
		mPublished:    {{"messaging.client.sent.messages", "{message}", true, 1}, {"kafka_topic_partition_current_offset", "", true, 1}, {"", "", false, 0}},
		mReady:        {{"k8s.container.ready", "1", false, 1}, {"kube_pod_status_ready", "", false, 1}, {"", "", false, 0}},
	}
	if r, ok := rows[m]; ok {
		return r[habit]
	}
	if m == mGC {
		return [4][3]named{
			{{"go.gc.pause.fraction", "1", false, 1}, {"go_gc_pause_fraction", "", false, 1}, {}},
			{{"jvm.gc.overhead", "1", false, 1}, {"jvm_gc_overhead_percent", "", false, 100}, {"gc_pause_ms", "ms", false, 1000}},
			{{}, {}, {}},
			{{"nodejs.eventloop.utilization", "1", false, 1}, {"nodejs_gc_duration_fraction", "", false, 1}, {}},
		}[lang][habit]
	}
	if m == mThreads {
		return [4][3]named{
			{{"go.goroutine.count", "{goroutine}", false, 1}, {"go_goroutines", "", false, 1}, {"goroutines", "", false, 1}},
			{{"jvm.thread.count", "{thread}", false, 1}, {"jvm_threads_live_threads", "", false, 1}, {"threads", "", false, 1}},
			{{"process.thread.count", "{thread}", false, 1}, {"process_threads", "", false, 1}, {}},
			{{}, {"nodejs_active_handles_total", "", false, 1}, {}},
		}[lang][habit]
	}
	return named{}
}

// metrics writes the series as the system collects them.
func (x *run) metricData() pmetric.Metrics {
	md := pmetric.NewMetrics()
	type place struct {
		owner any
		name  string
	}
	scopes := map[any]pmetric.MetricSlice{}
	rows := map[place]pmetric.Metric{}
	for _, s := range x.rec.points {
		lang := golang
		if s.pod != nil {
			lang = s.pod.svc.lang
		}
		n := names(s.key.m, x.sys.metrics, lang)
		if n.name == "" || s.store != nil && !s.store.exported {
			continue
		}
		var owner any = s.key.owner
		ms, ok := scopes[owner]
		if !ok {
			rm := md.ResourceMetrics().AppendEmpty()
			x.describeOwner(rm.Resource().Attributes(), s)
			ms = rm.ScopeMetrics().AppendEmpty().Metrics()
			scopes[owner] = ms
		}
		m, ok := rows[place{owner, n.name}]
		if !ok {
			m = ms.AppendEmpty()
			m.SetName(n.name)
			m.SetUnit(n.unit)
			rows[place{owner, n.name}] = m
		}
		x.writeSeries(m, s, n)
	}
	return md
}

func (x *run) describeOwner(to pcommon.Map, s *series) {
	switch {
	case s.pod != nil:
		s.pod.describe(to)
	case s.store != nil:
		to.PutStr("service.name", s.store.name)
		to.PutStr("db.system", s.store.kind.String())
	default:
		to.PutStr("service.name", s.queue.system)
	}
}

func (x *run) writeSeries(m pmetric.Metric, s *series, n named) {
	label := func(to pcommon.Map) {
		switch {
		case s.queue != nil && x.sys.metrics == promMetrics:
			to.PutStr("topic", s.queue.name)
			to.PutStr("consumergroup", s.queue.consumer.svc.name)
		case s.queue != nil:
			to.PutStr("messaging.destination.name", s.queue.name)
			to.PutStr("messaging.consumer.group.name", s.queue.consumer.svc.name)
		case s.op != nil && x.sys.metrics == promMetrics:
			to.PutStr("route", s.op.route)
			to.PutStr("method", s.op.method)
		case s.op != nil:
			to.PutStr("http.route", s.op.route)
			to.PutStr("http.request.method", s.op.method)
		case s.label != "" && x.sys.metrics == promMetrics:
			to.PutStr("pool", s.label)
		case s.label != "":
			to.PutStr("db.client.connection.pool.name", s.label)
			if s.key.m == mPoolUsed {
				to.PutStr("db.client.connection.state", "used")
			}
		}
	}
	start := pcommon.Timestamp(x.from) // in range
	if s.key.m == mDuration {
		if m.Type() == pmetric.MetricTypeEmpty {
			m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		}
		b := bounds()
		for i, at := range s.at {
			p := m.Histogram().DataPoints().AppendEmpty()
			label(p.Attributes())
			p.SetStartTimestamp(start)
			p.SetTimestamp(pcommon.Timestamp(at)) // in range
			p.SetSum(s.value[i])
			p.SetCount(s.count[i])
			p.ExplicitBounds().FromRaw(b[:])
			p.BucketCounts().FromRaw(s.buckets[i])
		}
		return
	}
	var points pmetric.NumberDataPointSlice
	if n.counter {
		if m.Type() == pmetric.MetricTypeEmpty {
			sum := m.SetEmptySum()
			sum.SetIsMonotonic(true)
			sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		}
		points = m.Sum().DataPoints()
	} else {
		if m.Type() == pmetric.MetricTypeEmpty {
			m.SetEmptyGauge()
		}
		points = m.Gauge().DataPoints()
	}
	for i, at := range s.at {
		p := points.AppendEmpty()
		label(p.Attributes())
		if n.counter {
			p.SetStartTimestamp(start)
		}
		p.SetTimestamp(pcommon.Timestamp(at)) // in range
		p.SetDoubleValue(s.value[i] * n.factor)
		if strings.HasPrefix(n.unit, "{") && s.value[i] == float64(int64(s.value[i])) {
			p.SetIntValue(int64(s.value[i]))
		}
	}
}
