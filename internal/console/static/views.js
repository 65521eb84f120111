// The views. Each takes the element to fill and the query of its address, and
// returns what to do when counts change, and when it is left.
import { call, confirm, duration, h, keyed, message, moment, number, Problem, status, statuses, stream, taskLink } from "./base.js";
import { chart, graph, outcomes, timeline } from "./drawings.js";

const problem = (err) => message(err instanceof Problem ? err.message : "Something went wrong in this page: " + err.message, "bad");

// rates returns, from samples, [time, tasks finished a second] and [time, share of
// them that ended in the DLQ, in %], over windows of some seconds.
export function rates(samples, seconds = 5) {
  const throughput = [], failures = [];
  let from = 0;
  for (let i = 1; i < samples.length; i++) {
    const at = Date.parse(samples[i].at);
    while (from < i - 1 && at - Date.parse(samples[from].at) > seconds * 1000) from++;
    const passed = (at - Date.parse(samples[from].at)) / 1000;
    if (passed <= 0) continue;
    // Redriven and removed tasks leave their status: they finish nothing.
    const done = Math.max(0, samples[i].counts.PROCESSED - samples[from].counts.PROCESSED);
    const dead = Math.max(0, samples[i].counts.DLQ - samples[from].counts.DLQ);
    throughput.push([at, (done + dead) / passed]);
    failures.push([at, done + dead ? 100 * dead / (done + dead) : 0]);
  }
  return { throughput, failures };
}

export function overview(root) {
  const tiles = h("div", { class: "tiles" });
  const figures = new Map(statuses.map((s) => [s, h("b", {}, "–")]));
  for (const s of statuses) {
    tiles.append(h("a", { class: "tile " + s, href: s === "DLQ" ? "#/dlq" : "#/tasks?status=" + s },
      figures.get(s), h("span", {}, s === "DLQ" ? "DLQ, dead letters" : s)));
  }
  const oldest = h("b", {}, "–");
  tiles.append(h("div", { class: "tile" }, oldest, h("span", {}, "oldest open task")));
  const finished = h("div"), failed = h("div"), asOf = h("p", { class: "soft" });
  root.append(h("h1", {}, "Overview"), tiles,
    h("div", { class: "pair" },
      h("section", { class: "panel" }, h("h2", {}, "Tasks finished a second"), finished),
      h("section", { class: "panel" }, h("h2", {}, "Of these, in the DLQ"), failed)), asOf);
  const news = () => {
    const samples = stream.samples, last = samples[samples.length - 1];
    if (!last) return;
    for (const s of statuses) {
      const text = number(last.counts[s]);
      if (figures.get(s).textContent !== text) figures.get(s).textContent = text;
    }
    oldest.textContent = last.oldestOpenAt ? duration(Math.max(0, Date.parse(last.at) - Date.parse(last.oldestOpenAt))) : "none";
    const { throughput, failures } = rates(samples);
    const range = { begin: Date.parse(samples[0].at), end: Date.parse(last.at) };
    finished.replaceChildren(chart(throughput, { ...range, unit: "", label: "Tasks finished a second" }));
    failed.replaceChildren(chart(failures, { ...range, unit: "%", bad: true, label: "Share of finished tasks in the DLQ" }));
    if (last.asOf) asOf.replaceChildren("Counts as of ", moment(last.asOf));
  };
  return { news };
}

const columns = ["Task", "Status", "Retries", "Created", "Labels", "Answer", "Error"];
const labelsOf = (labels) => Object.entries(labels || {}).map(([name, value]) => `${name}=${value}`).join(" ");
const excerpt = (text) => text.length > 200 ? text.slice(0, 200) + "…" : text;

function taskRow(t) {
  return h("tr", {}, h("td", {}, taskLink(t.taskId)), h("td", {}, status(t.status)), h("td", { class: "number" }, String(t.retries)),
    h("td", {}, moment(t.createdAt)), h("td", { class: "text" }, labelsOf(t.labels)),
    h("td", { class: "cut" }, excerpt(t.answer)), h("td", { class: "cut" }, t.errorMessage ? `${t.errorType}: ${excerpt(t.errorMessage)}` : ""));
}

// filters is the form that an address's query fills, and that makes a new one.
function filters(query, base, fields) {
  const all = {
    status: h("select", { name: "status" }, h("option", { value: "" }, "all"), statuses.map((s) => h("option", { value: s }, s))),
    errorType: h("input", { name: "errorType", placeholder: "WorkerError", maxlength: 256 }),
    label: h("input", { name: "label", placeholder: "team:billing", pattern: "[A-Za-z0-9._\\-]{1,63}:.*", title: "A label's name and value, such as team:billing" }),
    id: h("input", { name: "id", placeholder: "a part, or all", maxlength: 36 }),
  };
  const names = { status: "Status", errorType: "Error type", label: "Label", id: "Task id" };
  for (const f of fields) all[f].value = query.get(f) || "";
  return h("form", {
    class: "filters", onsubmit: (e) => {
      e.preventDefault();
      const next = new URLSearchParams();
      for (const f of fields) if (all[f].value.trim()) next.set(f, all[f].value.trim());
      const id = next.get("id");
      location.hash = id && id.length === 36 ? "#/tasks/" + id : base + (next.size ? "?" + next : "");
    },
  }, fields.map((f) => h("label", {}, names[f], all[f])), h("button", {}, "Filter"), h("a", { href: base }, "Clear"));
}

export function tasks(root, query) {
  const body = h("tbody"), note = h("div", { "aria-live": "polite" }), more = h("button", { hidden: true }, "Older tasks");
  root.append(h("h1", {}, "Tasks, newest first"), filters(query, "#/tasks", ["status", "errorType", "label", "id"]), note,
    h("div", { class: "scroll panel", tabindex: 0, role: "region", "aria-label": "Tasks" },
      h("table", {}, h("thead", {}, h("tr", {}, columns.map((c) => h("th", { scope: "col" }, c)))), body)), more);
  const asked = new URLSearchParams();
  for (const name of ["status", "errorType", "label"]) if (query.get(name)) asked.set(name, query.get(name));
  let loaded = [], token = "", pages = 1, busy = false, left = false;
  const show = () => {
    const part = query.get("id") || "";
    const shown = loaded.filter((t) => t.taskId.includes(part));
    const byId = new Map(shown.map((t) => [t.taskId, t]));
    keyed(body, shown.map((t) => ({ key: t.taskId, state: t.status + t.updatedAt })), (id) => taskRow(byId.get(id)));
    more.hidden = !token;
    note.replaceChildren(shown.length ? "" : h("p", { class: "empty" }, token ? "None among those that were looked at. Older tasks may be."
      : query.size ? "No task is as the filters say." : h("span", {}, "There are no tasks yet. ", h("a", { href: "#/submit" }, "Submit one"), ".")));
  };
  const load = async () => {
    if (busy || left) return;
    busy = true;
    try {
      const all = [];
      let next = "";
      for (let n = 0; n < pages; n++) {
        const q = new URLSearchParams(asked);
        q.set("limit", "50");
        if (next) q.set("nextToken", next);
        const page = await call("GET", "/tasks?" + q);
        all.push(...page.tasks);
        next = page.nextToken || "";
        if (!next) break;
      }
      if (left) return;
      [loaded, token] = [all, next];
      show();
    } catch (err) {
      note.replaceChildren(problem(err));
    } finally {
      busy = false;
    }
  };
  more.addEventListener("click", () => { pages++; load(); });
  load();
  let last = "";
  return {
    news: () => { // pages of the past are left as they are
      const counts = JSON.stringify(stream.samples.at(-1)?.counts);
      if (counts !== last && pages === 1) load();
      last = counts;
    },
    leave: () => { left = true; },
  };
}

let machine = null;

export function task(root, _, id) {
  const title = h("h1", {}, "Task ", h("span", { class: "id" }, id)), note = h("div", { "aria-live": "polite" });
  const record = h("dl"), actions = h("div", { class: "actions" }), line = h("div"), drawn = h("div"), source = h("p", { class: "soft" });
  const events = h("tbody");
  root.append(title, note, actions,
    h("div", { class: "pair" }, h("section", { class: "panel" }, h("h2", {}, "Record"), record),
      h("section", { class: "panel" }, h("h2", {}, "Workflow of this run"), drawn)),
    h("section", { class: "panel" }, h("h2", {}, "Attempts"), line),
    h("section", { class: "panel" }, h("h2", {}, "Events of this run"), source,
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Events" }, h("table", {}, h("thead", {}, h("tr", {}, ["Id", "Time", "Event", "State", "Details"].map((c) => h("th", { scope: "col" }, c)))), events))));
  let left = false, timer = 0, shown = "", shownEvents = "";
  const redrive = async () => {
    if (!await confirm("Give this task a new run, with all of its retries?", "Redrive")) return;
    try {
      await call("POST", `/tasks/${encodeURIComponent(id)}/redrive`);
      note.replaceChildren(message("It is queued again.", "good"));
    } catch (err) {
      note.replaceChildren(problem(err));
    }
    load();
  };
  const load = async () => {
    clearTimeout(timer);
    if (left) return;
    try {
      const path = "/tasks/" + encodeURIComponent(id);
      const [t, history] = [await call("GET", path), await call("GET", path + "/history")];
      machine ??= await (await fetch("machine.json")).json();
      if (left) return;
      const final = t.status === "PROCESSED" || t.status === "DLQ";
      const state = JSON.stringify(t);
      if (state !== shown || !final) {
        shown = state;
        fill(record, t);
        actions.replaceChildren(...(t.status === "DLQ" ? [h("button", { class: "main", onclick: redrive }, "Redrive")] : []));
        line.replaceChildren(...(t.attempts.length ? timeline(t.attempts, Date.now()) : [h("p", { class: "empty" }, t.nextAttemptAt ? "None yet: it waits." : "None yet.")]));
        if (t.status === "FAILED" && t.nextAttemptAt) {
          line.append(h("p", {}, "The next attempt is due ", moment(t.nextAttemptAt), `, in ${duration(Math.max(0, Date.parse(t.nextAttemptAt) - Date.now()))}.`));
        }
      }
      const told = JSON.stringify(history);
      if (told !== shownEvents) {
        shownEvents = told;
        drawn.replaceChildren(graph(machine, outcomes(history.events)));
        source.textContent = history.source === "attempts" ? "The execution has no history of its own (not started, expired, or EXPRESS): these are the record's attempts." : "";
        const rows = eventRows(history.events);
        keyed(events, rows.map((r) => ({ key: String(r.id), state: r.type })), (key) => rows.find((r) => String(r.id) === key).row());
      }
      if (!final) timer = setTimeout(load, 700);
    } catch (err) {
      note.replaceChildren(problem(err));
      if (err.status !== 404) timer = setTimeout(load, 3000);
    }
  };
  load();
  let last = "";
  return {
    news: () => {
      const counts = JSON.stringify(stream.samples.at(-1)?.counts);
      if (counts !== last) load();
      last = counts;
    },
    leave: () => { left = true; clearTimeout(timer); },
  };
}

function fill(record, t) {
  const rows = [["Status", status(t.status)], ["Error", t.errorType ? `${t.errorType}: ${t.errorMessage}` : null], ["Run", String(t.run)], ["Retries", String(t.retries)],
    ["Labels", labelsOf(t.labels) || null], ["Created", moment(t.createdAt)], ["Updated", moment(t.updatedAt)],
    ["Next attempt", t.nextAttemptAt ? moment(t.nextAttemptAt) : null], ["Execution", t.executionId || null],
    ["Answer", h("pre", {}, t.answer)]];
  record.replaceChildren(...rows.filter(([, v]) => v !== null).flatMap(([name, v]) => [h("dt", {}, name), h("dd", {}, v)]));
}

// eventRows returns the rows of a history, with the state that each event is about.
function eventRows(events) {
  let current = "";
  return events.map((e) => {
    const [, details] = Object.entries(e).find(([name]) => name.endsWith("EventDetails")) || [];
    current = details?.name && e.type.endsWith("StateEntered") ? details.name : current;
    const state = e.type.startsWith("Execution") ? "" : current;
    return {
      id: e.id, type: e.type, row: () => h("tr", {}, h("td", { class: "number" }, String(e.id)), h("td", {}, moment(e.timestamp, 3)), h("td", {}, e.type), h("td", {}, state),
        h("td", { class: "text" }, details ? h("details", {}, h("summary", {}, summaryOf(details)), h("pre", {}, pretty(details))) : "")),
    };
  });
}

const summaryOf = (details) => details.error ? `${details.error}` : details.output !== undefined ? "output" : details.input !== undefined ? "input" : details.parameters !== undefined ? "parameters" : "details";

// pretty writes JSON, and JSON within its strings, indented.
function pretty(v) {
  const opened = (value) => {
    if (typeof value === "string" && /^[[{]/.test(value)) {
      try { return opened(JSON.parse(value)); } catch { return value; }
    }
    if (Array.isArray(value)) return value.map(opened);
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, x]) => [k, opened(x)]));
    return value;
  };
  return JSON.stringify(opened(v), null, 2);
}

const maxDead = 1000; // how many dead tasks are looked at, to group them

export function dlq(root, query) {
  const note = h("div", { "aria-live": "polite" }), groups = h("tbody"), body = h("tbody"), count = h("p", { class: "soft" });
  const all = h("button", { class: "main" }, "Redrive all that match…"), some = h("button", { disabled: true }, "Redrive the selected…");
  root.append(h("h1", {}, "Dead letters"), filters(query, "#/dlq", ["errorType", "label"]), note, h("div", { class: "actions" }, all, some), count,
    h("section", { class: "panel scroll", tabindex: 0, "aria-label": "By error" }, h("h2", {}, "By error"),
      h("table", {}, h("thead", {}, h("tr", {}, ["Error", "Tasks", "Newest"].map((c) => h("th", { scope: "col" }, c)))), groups)),
    h("section", { class: "panel scroll", tabindex: 0, "aria-label": "Tasks in the DLQ" }, h("h2", {}, "Newest 100"),
      h("table", {}, h("thead", {}, h("tr", {}, ["Select", ...columns].map((c) => h("th", { scope: "col" }, c)))), body)));
  const selected = new Set();
  let left = false, busy = false;
  const asked = () => Object.fromEntries(["errorType", "label"].filter((n) => query.get(n)).map((n) => [n, query.get(n)]));
  const load = async () => {
    if (busy || left) return;
    busy = true;
    try {
      const dead = [];
      let next = "";
      do {
        const page = await call("GET", "/tasks?" + new URLSearchParams({ status: "DLQ", limit: "100", ...asked(), ...(next ? { nextToken: next } : {}) }));
        dead.push(...page.tasks);
        next = page.nextToken || "";
      } while (next && dead.length < maxDead);
      if (left) return;
      for (const id of selected) if (!dead.some((t) => t.taskId === id)) selected.delete(id);
      const by = Map.groupBy(dead, (t) => `${t.errorType}: ${excerpt(t.errorMessage)}`);
      const rows = [...by].sort((a, b) => b[1].length - a[1].length);
      keyed(groups, rows.map(([error, those]) => ({ key: error, state: `${those.length} ${those[0].taskId}` })), (error) => {
        const those = by.get(error);
        return h("tr", {}, h("td", { class: "text" }, h("a", { href: "#/dlq?" + new URLSearchParams({ ...asked(), errorType: those[0].errorType }) }, error)),
          h("td", { class: "number" }, number(those.length)), h("td", {}, taskLink(those[0].taskId)));
      });
      const byId = new Map(dead.map((t) => [t.taskId, t]));
      keyed(body, dead.slice(0, 100).map((t) => ({ key: t.taskId, state: t.updatedAt })), (id) => {
        const row = taskRow(byId.get(id));
        const box = h("input", { type: "checkbox", "aria-label": "Select " + id, onchange: () => { box.checked ? selected.add(id) : selected.delete(id); some.disabled = selected.size === 0; } });
        box.checked = selected.has(id);
        row.prepend(h("td", {}, box));
        return row;
      });
      some.disabled = selected.size === 0;
      all.disabled = dead.length === 0;
      count.textContent = next ? `The newest ${number(dead.length)} of more.` : dead.length ? `${number(dead.length)} in all.` : "";
      if (!dead.length) groups.replaceChildren(h("tr", {}, h("td", { colspan: 3, class: "empty" }, query.size ? "No dead task is as the filters say." : "Nothing is in the DLQ.")));
    } catch (err) {
      note.replaceChildren(problem(err));
    } finally {
      busy = false;
    }
  };
  const working = async (work) => {
    all.disabled = some.disabled = true;
    try {
      await work();
    } catch (err) {
      note.replaceChildren(problem(err));
    }
    await load();
  };
  const order = async (more, tell) => { // by requests of which each goes on where the last has ended
    let n = 0, next = {};
    do {
      const page = await call("POST", "/tasks/redrive", { ...asked(), ...more, ...next });
      n += page.tasks.length;
      tell(n);
      next = page.nextToken ? { nextToken: page.nextToken, diedBefore: page.diedBefore } : null;
    } while (next && !left);
    return n;
  };
  all.addEventListener("click", () => working(async () => {
    const n = await order({ dryRun: true }, (n) => note.replaceChildren(message(`Counting: ${number(n)}`)));
    note.replaceChildren();
    if (!n || !await confirm(`Give ${number(n)} ${n === 1 ? "task" : "tasks"} a new run, with all of their retries?`, `Redrive ${number(n)}`)) return;
    const done = await order({}, (n) => note.replaceChildren(message(`Redriving: ${number(n)}`)));
    note.replaceChildren(message(`${number(done)} redriven.`, "good"));
  }));
  some.addEventListener("click", () => working(async () => {
    const ids = [...selected];
    if (!await confirm(`Give ${number(ids.length)} ${ids.length === 1 ? "task" : "tasks"} a new run, with all of their retries?`, `Redrive ${number(ids.length)}`)) return;
    let done = 0;
    for (const id of ids) {
      try {
        await call("POST", `/tasks/${encodeURIComponent(id)}/redrive`);
        done++;
      } catch (err) {
        if (err.status !== 409) throw err; // somebody else was quicker
      }
      selected.delete(id);
    }
    note.replaceChildren(message(`${number(done)} redriven.`, "good"));
  }));
  load();
  let last = -1;
  return {
    news: () => {
      const dead = stream.samples.at(-1)?.counts.DLQ;
      if (dead !== last) load();
      last = dead;
    },
    leave: () => { left = true; },
  };
}

export function submit(root) {
  const note = h("div", { "aria-live": "polite" });
  const answer = h("textarea", { name: "answer", required: true }), delay = h("input", { name: "delay", type: "number", min: 0, max: 900, value: "0" });
  const labels = h("input", { name: "labels", placeholder: "team=billing region=eu" }), go = h("button", { class: "main" }, "Submit");
  let key = crypto.randomUUID();
  root.append(h("h1", {}, "Submit a task"), note, h("form", {
    class: "fields panel", oninput: () => { key = crypto.randomUUID(); }, onsubmit: async (e) => {
      e.preventDefault();
      go.disabled = true;
      try {
        const pairs = labels.value.trim().split(/\s+/).filter(Boolean).map((p) => { const i = p.indexOf("="); return i < 0 ? [p, ""] : [p.slice(0, i), p.slice(i + 1)]; });
        const body = { answer: answer.value, delaySeconds: Number(delay.value), labels: Object.fromEntries(pairs) };
        const accepted = await call("POST", "/tasks", body, { "Idempotency-Key": key }); // sent again, it is one task
        location.hash = "#/tasks/" + accepted.taskId;
      } catch (err) {
        note.replaceChildren(problem(err));
      } finally {
        go.disabled = false;
      }
    },
  }, h("label", {}, "Answer, at most 256 KiB", answer), h("label", {}, "Delay of the first attempt, in seconds", delay), h("label", {}, "Labels, as name=value", labels), h("div", {}, go)));
  return {};
}
