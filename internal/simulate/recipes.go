package simulate

// recipe is the story of a culprit: what its commit says, what it does to the code in each language, and what the
// mistake then throws. The messages say what an author believes to be doing, as authors do.
type recipe struct {
	messages []string
	patch    [4]string // by language; an empty one is Go's
	typ, msg [4]string // of the exception, where there is one
	config   bool      // it is settings, not code
}

func recipeOf(name string) recipe {
	for n, rc := range recipes() {
		if n == name {
			return rc
		}
	}
	return recipe{messages: []string{"update {svc}"}, patch: [4]string{" // {Name}\n"}}
}

func recipes() map[string]recipe {
	return map[string]recipe{
		"exception_on_input": {
			messages: []string{"feat: support regional {things}", "{Name}: read the discount class of a {thing}", "parse {thing} period strictly", "add tier handling to {Name}"},
			patch: [4]string{
				" func (s *server) {fn}(ctx context.Context, in *{Thing}Request) (*{Thing}, error) {\n-\ttier := defaultTier\n+\ttier := tiers[in.Attributes[\"tier\"][0]]\n \tout := s.build(in, tier)\n",
				"     public {Thing} {fn}({Thing}Request request) {\n-        Period period = Period.ofMonths(1);\n+        Period period = Period.parse(request.getPeriod());\n+        Tier tier = Tier.valueOf(request.getTier());\n         {Thing} {thing} = mapper.map(request, period);\n",
				" def {fn}(request):\n-    tier = DEFAULT_TIER\n+    tier = TIERS[request[\"tier\"]]\n+    period = int(request[\"period\"])\n     return build_{s_thing}(request, tier)\n",
				" async function {fn}(req) {\n-  const tier = DEFAULT_TIER;\n+  const tier = TIERS[req.body.tier.code];\n   const {thing} = build(req.body, tier);\n"},
			typ: [4]string{"runtime.boundsError", "java.time.format.DateTimeParseException", "ValueError", "TypeError"},
			msg: [4]string{"index out of range [0] with length 0", "Text cannot be parsed to a Period", "invalid literal for int() with base 10: 'P1M'", "Cannot read properties of undefined (reading 'code')"},
		},
		"nil_after_refactor": {
			messages: []string{"refactor: simplify {Name}", "tidy {fn}: drop redundant checks", "{Name}: use the shared mapper", "clean up {thing} handling"},
			patch: [4]string{
				" \trow, err := s.repo.{Name}(ctx, in.Id)\n-\tif err != nil || row == nil {\n-\t\treturn nil, status.Error(codes.NotFound, \"no such {thing}\")\n-\t}\n+\tif err != nil {\n+\t\treturn nil, err\n+\t}\n \treturn to{Thing}(row.Owner.Name, row), nil\n",
				"         {Thing} {thing} = repository.findById(id).orElse(null);\n-        if ({thing} == null || {thing}.getOwner() == null) {\n-            return {Thing}View.empty();\n-        }\n         return {Thing}View.of({thing}.getOwner().getName(), {thing});\n",
				"     row = repo.get(key)\n-    if row is None or row.owner is None:\n-        return EMPTY\n     return {\"owner\": row.owner.name, \"id\": row.id}\n",
				"   const row = await repo.find(id);\n-  if (!row || !row.owner) return EMPTY;\n   return { owner: row.owner.name, id: row.id };\n"},
			typ: [4]string{"runtime.errorString", "java.lang.NullPointerException", "AttributeError", "TypeError"},
			msg: [4]string{"invalid memory address or nil pointer dereference", "Cannot invoke \"Owner.getName()\" because the return value of \"{Thing}.getOwner()\" is null", "'NoneType' object has no attribute 'name'", "Cannot read properties of null (reading 'name')"},
		},
		"query_per_item": {
			messages: []string{"feat: include details in {things}", "{Name}: load the current state of each item", "show owner next to every {thing}", "refactor: use the repository for {thing} items"},
			patch: [4]string{
				" \titems, err := s.repo.Items(ctx, in.Id)\n-\tdetails, err := s.repo.DetailsOf(ctx, ids(items))\n+\tfor _, it := range items {\n+\t\td, err := s.repo.Detail(ctx, it.Id)\n+\t\tif err != nil {\n+\t\t\treturn nil, err\n+\t\t}\n+\t\tdetails = append(details, d)\n+\t}\n",
				"         List<Item> items = repository.findItems(id);\n-        Map<Long, Detail> details = detailRepository.findAllByItemIn(items);\n+        for (Item item : items) {\n+            item.setDetail(detailRepository.findByItemId(item.getId()));\n+        }\n",
				"     items = session.query(Item).filter(Item.{s_thing}_id == key).all()\n-    details = session.query(Detail).filter(Detail.item_id.in_([i.id for i in items])).all()\n+    details = [session.query(Detail).filter(Detail.item_id == i.id).one() for i in items]\n",
				"   const items = await db('{table}').where({ parent: id });\n-  const details = await db('details').whereIn('item_id', items.map((i) => i.id));\n+  const details = [];\n+  for (const item of items) {\n+    details.push(await db('details').where({ item_id: item.id }).first());\n+  }\n"},
		},
		"slow_query": {
			messages: []string{"{Name}: match references without regard to case", "feat: look {things} up by external reference", "accept mixed-case references for {things}"},
			patch: [4]string{
				"-const q{Thing} = `SELECT * FROM {table} WHERE id = $1`\n+const q{Thing} = `SELECT * FROM {table} WHERE lower(external_ref) = lower($1)`\n",
				"-    @Query(value = \"SELECT * FROM {table} WHERE id = ?1\", nativeQuery = true)\n+    @Query(value = \"SELECT * FROM {table} WHERE lower(external_ref) = lower(?1)\", nativeQuery = true)\n     {Thing} lookup(String ref);\n",
				"-    q = session.query({Thing}).filter({Thing}.id == ref)\n+    q = session.query({Thing}).filter(func.lower({Thing}.external_ref) == ref.lower())\n     return q.one_or_none()\n",
				"-  return db('{table}').where({ id: ref }).first();\n+  return db('{table}').whereRaw('lower(external_ref) = lower(?)', [ref]).first();\n"},
		},
		"timeout_removed": {
			messages: []string{"use the shared client for {peer}", "refactor: one HTTP client for all partners", "{peer}: reuse connections"},
			patch: [4]string{
				"-\tclient := &http.Client{Timeout: time.Second, Transport: s.transport}\n+\tclient := s.shared\n \tresp, err := client.Do(req)\n",
				"-        this.{lpeer}Client = builder.setConnectTimeout(Duration.ofSeconds(1)).setReadTimeout(Duration.ofSeconds(1)).build();\n+        this.{lpeer}Client = sharedTemplate;\n",
				"-    resp = session.post(URL, json=body, timeout=1.0)\n+    resp = shared_session.post(URL, json=body)\n     resp.raise_for_status()\n",
				"-  const res = await axios.post(url, body, { timeout: 1000 });\n+  const res = await shared.post(url, body);\n"},
		},
		"retry_storm": {
			messages: []string{"make calls to {peer} more robust", "{fn}: be quicker about failed calls to {peer}", "improve resilience of {Name}"},
			patch: [4]string{
				"-\tretry := backoff.WithMaxRetries(backoff.NewExponentialBackOff(), 1)\n-\tctx, cancel := context.WithTimeout(ctx, 2*time.Second)\n+\tretry := backoff.WithMaxRetries(&backoff.ZeroBackOff{}, 10)\n+\tctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)\n \tdefer cancel()\n",
				"-    @Retryable(maxAttempts = 2, backoff = @Backoff(delay = 200, multiplier = 2))\n+    @Retryable(maxAttempts = 10, backoff = @Backoff(delay = 0))\n     private Response ask{Peer}(Request request) {\n",
				"-retry = Retry(total=1, backoff_factor=0.2)\n+retry = Retry(total=10, backoff_factor=0)\n session.mount(\"http://{peer}\", HTTPAdapter(max_retries=retry))\n",
				"-axiosRetry(client, { retries: 1, retryDelay: axiosRetry.exponentialDelay });\n+axiosRetry(client, { retries: 10, retryDelay: () => 0 });\n"},
		},
		"lock_contention": {
			messages: []string{"fix: data race in {Name}", "guard the {thing} table", "{fn}: make the counter consistent"},
			patch: [4]string{
				" func (s *server) {fn}(ctx context.Context, in *{Thing}Request) (*{Thing}, error) {\n+\ts.mu.Lock()\n+\tdefer s.mu.Unlock()\n \tout, err := s.load(ctx, in)\n",
				"-    public {Thing} {fn}({Thing}Request request) {\n+    public synchronized {Thing} {fn}({Thing}Request request) {\n",
				" def {fn}(request):\n-    return _handle(request)\n+    with _lock:\n+        return _handle(request)\n",
				" async function {fn}(req) {\n-  return handle(req);\n+  return mutex.runExclusive(() => handle(req));\n }\n"},
		},
		"memory_leak": {
			messages: []string{"feat: remember recent {things}", "{Name}: keep results for the audit view", "collect {thing} history"},
			patch: [4]string{
				" \tout := s.build(in)\n+\ts.recent[in.RequestId] = out\n \treturn out, nil\n",
				"         {Thing} result = build(request);\n+        RECENT.put(request.getRequestId(), result);\n         return result;\n",
				"     result = build(request)\n+    RECENT[request.id] = result\n     return result\n",
				"   const result = build(req);\n+  recent.set(req.id, result);\n   return result;\n"},
		},
		"wrong_status": {
			messages: []string{"unify error handling of {Name}", "use the common error mapper", "{Name}: return errors of the repository"},
			patch: [4]string{
				"-\tif errors.Is(err, repo.ErrNotFound) {\n-\t\treturn nil, status.Error(codes.NotFound, \"no such {thing}\")\n-\t}\n \tif err != nil {\n \t\treturn nil, status.Error(codes.Internal, err.Error())\n \t}\n",
				"-        } catch (EntityNotFoundException e) {\n-            return ResponseEntity.notFound().build();\n         } catch (Exception e) {\n             throw new IllegalStateException(\"{thing} lookup failed\", e);\n",
				"-    except NotFound:\n-        abort(404)\n     except Exception as err:\n         raise LookupFailed(str(err)) from err\n",
				"-    if (err instanceof NotFoundError) return res.status(404).end();\n     throw new LookupError(err.message);\n"},
			typ: [4]string{"*status.Error", "java.lang.IllegalStateException", "LookupFailed", "LookupError"},
			msg: [4]string{"rpc error: code = Internal desc = no rows in result set", "{thing} lookup failed", "no row was found when one was required", "no {thing} for this id"},
		},
		"missing_ack": {
			messages: []string{"handle {things} in batches", "refactor the {peer} listener", "{fn}: commit offsets after the batch"},
			patch: [4]string{
				" \tif err := h.{fn}(ctx, msg); err != nil {\n \t\treturn err\n \t}\n-\treturn session.Commit(msg)\n+\th.batch = append(h.batch, msg)\n+\treturn nil\n",
				"         {fn}(record);\n-        acknowledgment.acknowledge();\n+        pending.add(record);\n",
				"     handle(message)\n-    consumer.commit(message)\n+    pending.append(message)\n",
				"   await {fn}(message);\n-  channel.ack(message);\n+  pending.push(message);\n"},
		},
		"bad_cache_key": {
			messages: []string{"cache {things} per request context", "{Name}: include the caller in the cache key", "fix stale {things} in the cache"},
			patch: [4]string{
				"-\tkey := \"{s_thing}:\" + in.Id\n+\tkey := \"{s_thing}:\" + in.Id + \":\" + requestID(ctx)\n \tif v, ok := s.cache.Get(ctx, key); ok {\n",
				"-    @Cacheable(value = \"{things}\", key = \"#id\")\n+    @Cacheable(value = \"{things}\", key = \"#id + #context.requestId\")\n     public {Thing} {fn}(String id, RequestContext context) {\n",
				"-    key = f\"{s_thing}:{ident}\"\n+    key = f\"{s_thing}:{ident}:{g.request_id}\"\n     hit = cache.get(key)\n",
				"-  const key = `{s_thing}:${id}`;\n+  const key = `{s_thing}:${id}:${req.id}`;\n   const hit = await cache.get(key);\n"},
		},
		"schema_change": {
			messages: []string{"{Thing}: send amounts as strings", "api: rename fields of {thing} to the new style", "feat: structured owner in {thing}"},
			patch: [4]string{
				" type {Thing} struct {\n-\tAmount int64 `json:\"amount\"`\n+\tAmount string `json:\"amount\"`\n \tOwner string `json:\"owner\"`\n",
				" public class {Thing}Dto {\n-    private long amount;\n+    private String amount;\n     private String owner;\n",
				" class {Thing}Schema(Schema):\n-    amount = fields.Int()\n+    total_amount = fields.Str()\n     owner = fields.Str()\n",
				"   return {\n-    amount: row.amount,\n+    totals: { amount: String(row.amount) },\n     owner: row.owner,\n"},
		},
		"busy_loop_on_input": {
			messages: []string{"validate references of {things}", "{Name}: stricter format check", "normalize free text in {fn}"},
			patch: [4]string{
				"+\tfor !settled(in.Terms) {\n+\t\tin.Terms = reduce(in.Terms, in.Terms)\n+\t}\n \tout := s.build(in)\n",
				"-        if (!request.getReference().isEmpty()) {\n+        if (Pattern.matches(\"^([A-Za-z0-9]+\\\\s?)+$\", request.getReference())) {\n",
				"-    if ref:\n+    if re.match(r\"^([A-Za-z0-9]+\\s?)+$\", ref):\n",
				"-  if (ref) {\n+  if (/^([A-Za-z0-9]+\\s?)+$/.test(ref)) {\n"},
		},
		"connection_leak": {
			messages: []string{"stream {things} instead of loading them", "{Name}: stop early when nothing matches", "avoid a copy in {fn}"},
			patch: [4]string{
				" \trows, err := s.db.QueryContext(ctx, q{Thing}, in.Id)\n \tif err != nil {\n \t\treturn nil, err\n \t}\n-\tdefer rows.Close()\n \tfor rows.Next() {\n+\t\tif skip(rows) {\n+\t\t\treturn nil, nil\n+\t\t}\n",
				"-        try (Connection c = dataSource.getConnection()) {\n-            return read(c, id);\n-        }\n+        Connection c = dataSource.getConnection();\n+        {Thing} found = read(c, id);\n+        if (found == null) return null;\n+        c.close();\n+        return found;\n",
				"-    with engine.connect() as conn:\n-        return read(conn, key)\n+    conn = engine.connect()\n+    found = read(conn, key)\n+    if found is None:\n+        return None\n+    conn.close()\n+    return found\n",
				"   const client = await pool.connect();\n-  try { return await read(client, id); } finally { client.release(); }\n+  const found = await read(client, id);\n+  if (!found) return null;\n+  client.release();\n+  return found;\n"},
		},
		"serial_calls": {
			messages: []string{"{Name}: simplify gathering", "make {fn} easier to follow", "double-check results of {Name}"},
			patch: [4]string{
				"-\tg, ctx := errgroup.WithContext(ctx)\n-\tfor _, src := range s.sources {\n-\t\tg.Go(func() error { return src.Load(ctx, in) })\n-\t}\n-\tif err := g.Wait(); err != nil {\n-\t\treturn nil, err\n-\t}\n+\tfor range s.rounds {\n+\t\tfor _, src := range s.sources {\n+\t\t\tif err := src.Load(ctx, in); err != nil {\n+\t\t\t\treturn nil, err\n+\t\t\t}\n+\t\t}\n+\t}\n",
				"-        CompletableFuture.allOf(sources.stream().map(s -> s.loadAsync(request)).toArray(CompletableFuture[]::new)).join();\n+        for (int round = 0; round < rounds; round++) {\n+            sources.forEach(s -> s.load(request));\n+        }\n",
				"-    await asyncio.gather(*(s.load(request) for s in sources))\n+    for _ in range(rounds):\n+        for s in sources:\n+            await s.load(request)\n",
				"-  await Promise.all(sources.map((s) => s.load(req)));\n+  for (let i = 0; i < rounds; i++) for (const s of sources) await s.load(req);\n"},
		},
		"consumer_stopped": {
			messages: []string{"rename the subscription of {svc}", "settings: topics under the new prefix"}, config: true,
			patch: [4]string{" consumer:\n   group: {svc}\n-  topic: {peer}\n+  topic: prod.{peer}\n   autoOffsetReset: latest\n"},
		},
		"crash_loop": {
			messages: []string{"clean up unused settings of {svc}", "settings: remove deprecated keys"}, config: true,
			patch: [4]string{" env:\n   LOG_LEVEL: info\n-  {s_thing}_endpoint: http://{svc}.internal\n   REGION: main\n"},
		},
		"wrong_url": {
			messages: []string{"point {svc} to the new address of {peer}", "settings: use cluster-local names", "move {peer} behind the mesh"}, config: true,
			patch: [4]string{" upstreams:\n   {peer}:\n-    url: http://{peer}:8080\n+    url: http://{peer}-v2:8081\n     keepAlive: true\n"},
		},
		"timeout_lowered": {
			messages: []string{"tune deadlines of {svc}", "{svc}: fail faster on {peer}", "settings: align time-outs with the SLO"}, config: true,
			patch: [4]string{" upstreams:\n   {peer}:\n-    timeoutMs: 3000\n+    timeoutMs: 20\n     keepAlive: true\n"},
		},
		"pool_lowered": {
			messages: []string{"right-size connections to {peer}", "{svc}: reduce database footprint"}, config: true,
			patch: [4]string{" datasource:\n   host: {peer}\n-  maxPoolSize: 20\n+  maxPoolSize: 1\n   minIdle: 1\n"},
		},
		"rate_limit_lowered": {
			messages: []string{"{svc}: protect against bursts", "adjust limits of {svc}"}, config: true,
			patch: [4]string{" rateLimit:\n   enabled: true\n-  requestsPerSecond: 500\n+  requestsPerSecond: 5\n   burst: 5\n"},
		},
		"credentials_rotated": {
			messages: []string{"rotate secrets of {svc}", "{svc}: use the new database user"}, config: true,
			patch: [4]string{" datasource:\n   host: {peer}\n-  username: {s_thing}_app\n-  passwordRef: {svc}-db\n+  username: {s_thing}_rw\n+  passwordRef: {svc}-db-2\n"},
		},
	}
}
