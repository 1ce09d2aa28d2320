// Freshens the page while its cases move. Without it the page is the same, only older.
"use strict";
(() => {
  const url = document.body.dataset.live;
  const state = document.getElementById("live");
  if (!url) return;

  let waiting = 0, busy = false, again = false;

  const say = (text, tone) => {
    if (!state || state.textContent === text) return;
    state.textContent = text;
    state.className = tone;
  };

  // A region in which somebody writes is left alone; a line above it says that the case moved.
  const written = (region) => [...region.querySelectorAll("textarea, input:not([type=hidden])")]
    .some((f) => f === document.activeElement || f.value !== f.defaultValue);

  const swap = (region, fresh) => {
    for (const d of region.querySelectorAll("details[id][open]")) {
      const other = fresh.querySelector("#" + CSS.escape(d.id));
      if (other) other.open = true;
    }
    if (region.innerHTML === fresh.innerHTML) return;
    if (written(region)) {
      const stale = document.getElementById("stale");
      if (stale && region.dataset.seen !== fresh.dataset.seen) stale.hidden = false;
      return;
    }
    const focus = region.contains(document.activeElement) ? document.activeElement : null;
    region.replaceWith(document.importNode(fresh, true));
    const link = focus && focus.getAttribute("href");
    const target = focus && (focus.id ? document.getElementById(focus.id) : link && document.querySelector(`main a[href="${CSS.escape(link)}"]`));
    if (target) target.focus({ preventScroll: true });
  };

  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const res = await fetch(location.href, { headers: { "X-Live": "1" }, redirect: "manual", cache: "no-store" });
      if (res.type === "opaqueredirect") { location.reload(); return; } // the session has ended
      if (!res.ok) throw new Error(String(res.status));
      const page = new DOMParser().parseFromString(await res.text(), "text/html");
      for (const region of document.querySelectorAll("[data-region]")) {
        const fresh = page.getElementById(region.id);
        if (fresh) swap(region, fresh);
      }
      document.title = page.title;
      if (events && events.readyState === EventSource.OPEN) say("live", "good");
    } catch {
      say("not reachable; trying again", "bad");
    } finally {
      busy = false;
      if (again) { again = false; soon(); }
    }
  };

  // Many changes at once are one refresh.
  const soon = () => {
    if (waiting) return;
    waiting = setTimeout(() => { waiting = 0; refresh(); }, 400);
  };

  let events = null, lost = false;
  const connect = () => {
    if (!window.EventSource) { say("checked every 15 s", ""); return; }
    events = new EventSource(url);
    events.addEventListener("open", () => { say("live", "good"); if (lost) { lost = false; soon(); } });
    events.addEventListener("case", soon);
    events.addEventListener("error", () => {
      lost = true;
      say("checked every 15 s", "");
      // The browser comes back by itself after a lost connection, but not after a refusal.
      if (events.readyState === EventSource.CLOSED) setTimeout(connect, 60000);
    });
  };
  connect();
  let ticks = 0;
  setInterval(() => {
    if (document.hidden) return;
    const open = events && events.readyState === EventSource.OPEN;
    if (!open || ++ticks % 4 === 0) refresh(); // ages on the page grow even while nothing happens
  }, 15000);
})();
