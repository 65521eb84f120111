// Charts, the timeline of attempts, and the state machine's graph.
import { duration, h } from "./base.js";

// chart draws a curve of [time in ms, value], from begin to end.
export function chart(points, { begin, end, unit, bad, label }) {
  const width = 480, height = 130, left = 46, bottom = 20, top = 10;
  const most = Math.max(...points.map((p) => p[1]), unit === "%" ? 1 : 1);
  const scale = nice(most);
  const x = (t) => left + (t - begin) / Math.max(1, end - begin) * (width - left - 8);
  const y = (v) => height - bottom - v / scale * (height - bottom - top);
  const now = points.length ? points[points.length - 1][1] : 0;
  const text = (v) => `${round(v)}${unit === "%" ? " %" : ""}`;
  return h("svg", { class: "drawing", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${label}: now ${text(now)}, at most ${text(most)}` },
    ...[0, scale / 2, scale].flatMap((v) => [
      h("line", { class: "axis", x1: left, x2: width - 8, y1: y(v), y2: y(v) }),
      h("text", { class: "soft", x: left - 6, y: y(v) + 4, "text-anchor": "end" }, text(v))]),
    h("text", { class: "soft", x: left, y: height - 4 }, `${duration(end - begin)} ago`),
    h("text", { class: "soft", x: width - 8, y: height - 4, "text-anchor": "end" }, "now"),
    h("polyline", { class: "curve" + (bad ? " bad" : ""), points: points.map(([t, v]) => `${x(t).toFixed(1)},${y(v).toFixed(1)}`).join(" ") }));
}

const round = (v) => v >= 10 || Number.isInteger(v) ? Math.round(v).toLocaleString() : v.toFixed(1);

function nice(v) {
  const power = 10 ** Math.floor(Math.log10(v));
  return [1, 2, 5, 10].find((n) => n * power >= v) * power;
}

// timeline draws attempts: when each ran, how it ended, and the wait before it. A run
// has a scale of its own, for days may lie between two.
export function timeline(attempts, now) {
  const at = (t) => Date.parse(t);
  return [...Map.groupBy(attempts, (a) => a.run)].map(([run, all]) => {
    const begin = at(all[0].startedAt);
    const end = Math.max(...all.map((a) => a.finishedAt ? at(a.finishedAt) : now), begin + 100);
    const width = 1000, x = (t) => (t - begin) / (end - begin) * (width - 8);
    const rows = all.map((a, i) => {
      const from = at(a.startedAt), to = a.finishedAt ? at(a.finishedAt) : now, before = all[i - 1];
      const kind = !a.finishedAt ? "running" : a.notCounted ? "uncounted" : a.errorType ? "bad" : "good";
      const waited = before?.finishedAt ? from - at(before.finishedAt) : 0;
      const ended = !a.finishedAt ? "running" : (a.errorType || "succeeded") + (a.notCounted ? " (uses up no retry)" : "");
      return h("li", {},
        h("span", {}, `Attempt ${a.number}: ${ended}, ${duration(to - from)}`, waited > 0 ? h("span", { class: "soft" }, `, ${duration(waited)} after the last`) : null),
        h("svg", { class: "track", viewBox: `0 0 ${width} 12`, preserveAspectRatio: "none", "aria-hidden": "true" },
          h("line", { class: "axis", x1: 0, x2: width, y1: 6, y2: 6 }),
          waited > 0 ? h("line", { class: "wait", x1: x(at(before.finishedAt)), x2: x(from), y1: 6, y2: 6 }) : null,
          h("rect", { class: kind, x: x(from), y: 0, width: Math.max(8, x(to) - x(from)), height: 12 })));
    });
    return h("div", {}, h("h3", {}, `Run ${run}, ${duration(end - begin)}`), h("ol", { class: "attempts" }, rows));
  });
}

// outcomes returns what became of each state, and which transitions were made, by an
// execution's events.
export function outcomes(events) {
  const states = new Map(), taken = new Set();
  let current = null;
  for (const e of events) {
    const entered = e.stateEnteredEventDetails?.name, exited = e.stateExitedEventDetails?.name;
    if (entered) {
      if (current && current !== entered) taken.add(current + "\n" + entered);
      current = entered;
      states.set(entered, e.type === "FailStateEntered" ? "failed" : "entered");
    } else if (exited) {
      states.set(exited, states.get(exited) === "stumbled" ? "caught" : "succeeded");
    } else if (current && /(Failed|TimedOut)$/.test(e.type) && e.type.startsWith("Execution")) {
      states.set(current, "failed");
    } else if (current && /(Failed|TimedOut)$/.test(e.type)) {
      states.set(current, "stumbled");
    } else if (current && /Succeeded$/.test(e.type) && !e.type.startsWith("Execution")) {
      states.set(current, "entered");
    }
  }
  for (const [name, outcome] of states) if (outcome === "stumbled") states.set(name, "entered");
  return { states, taken };
}

// targets returns where a state can lead.
function targets(state) {
  const all = [];
  const add = (to, why) => { if (to) all.push({ to, why }); };
  add(state.Next, "");
  for (const c of state.Choices || []) add(c.Next, "choice");
  add(state.Default, "otherwise");
  for (const c of state.Catch || []) add(c.Next, "catch");
  return all;
}

// graph draws a state machine from its start to its end, with the path that was
// taken.
export function graph(machine, { states, taken }) {
  const level = new Map([[machine.StartAt, 0]]);
  for (const queue = [machine.StartAt]; queue.length;) {
    const name = queue.shift();
    for (const { to } of targets(machine.States[name] || {})) {
      if (!level.has(to)) { level.set(to, level.get(name) + 1); queue.push(to); }
    }
  }
  const rows = [];
  for (const [name, n] of level) (rows[n] ??= []).push(name);
  const boxWidth = 190, boxHeight = 46, gapX = 40, gapY = 40, margin = 40;
  const width = Math.max(...rows.map((r) => r.length)) * (boxWidth + gapX) - gapX + 2 * margin;
  const height = rows.length * (boxHeight + gapY) + 80;
  const place = new Map();
  rows.forEach((row, y) => row.forEach((name, x) => place.set(name, {
    x: (width - row.length * (boxWidth + gapX) + gapX) / 2 + x * (boxWidth + gapX), y: 56 + y * (boxHeight + gapY),
  })));
  const edges = [], boxes = [];
  const bottom = { x: width / 2, y: height - 18 };
  const edge = (d, tip, went, why, at) => {
    edges.push(h("path", { class: "edge" + went, d }), h("path", { class: "arrow" + went, d: tip }));
    if (why) edges.push(h("text", { class: "soft", ...at }, why));
  };
  const down = (x1, y1, x2, y2, went, why) => edge(`M${x1},${y1} C${x1},${(y1 + y2) / 2} ${x2},${(y1 + y2) / 2} ${x2},${y2 - 6}`, `M${x2},${y2} l-5,-8 h10 z`, went, why,
    { x: (x1 + x2) / 2 + 8, y: (y1 + y2) / 2 + 4 });
  const first = place.get(machine.StartAt);
  boxes.push(h("circle", { class: "end", cx: first.x + boxWidth / 2, cy: 14, r: 7 }), h("text", { class: "soft", x: first.x + boxWidth / 2 + 14, y: 18 }, "start"),
    h("circle", { class: "end", cx: bottom.x, cy: bottom.y, r: 7 }), h("text", { class: "soft", x: bottom.x + 14, y: bottom.y + 4 }, "end"));
  down(first.x + boxWidth / 2, 22, first.x + boxWidth / 2, first.y, states.size ? " taken" : "");
  for (const [name, { x, y }] of place) {
    const state = machine.States[name] || {};
    const outcome = states.get(name);
    const words = outcome === "entered" ? "running" : outcome || "not reached";
    boxes.push(h("g", { role: "img", "aria-label": `${name}, a ${state.Type} state: ${words}` },
      h("rect", { class: "node " + (outcome || ""), x, y, width: boxWidth, height: boxHeight, rx: 8 }),
      h("text", { x: x + boxWidth / 2, y: y + 20, "text-anchor": "middle" }, name),
      h("text", { class: "soft", x: x + boxWidth / 2, y: y + 36, "text-anchor": "middle" }, `${state.Type}${outcome ? ", " + words : ""}`)));
    const middle = x + boxWidth / 2;
    if (state.End || state.Type === "Succeed" || state.Type === "Fail") {
      const went = outcome === "succeeded" || outcome === "failed" ? " taken" : "";
      const lowest = y + boxHeight + gapY > bottom.y - 30;
      if (lowest) down(middle, y + boxHeight, bottom.x, bottom.y - 8, went);
      else edge(`M${x},${y + 23} C${margin / 2},${y + 23} ${margin / 2},${y + 60} ${margin / 2},${y + 90} V${bottom.y - 30} Q${margin / 2},${bottom.y} ${bottom.x - 16},${bottom.y}`,
        `M${bottom.x - 8},${bottom.y} l-8,-5 v10 z`, went);
    }
    for (const { to, why } of targets(state)) {
      const end = place.get(to);
      if (!end) continue;
      const went = taken.has(name + "\n" + to) ? " taken" : "";
      if (end.y > y) down(middle, y + boxHeight, end.x + boxWidth / 2, end.y, went, why);
      else edge(`M${x + boxWidth},${y + 20} C${width},${y + 20} ${width},${end.y + 20} ${end.x + boxWidth + 6},${end.y + 20}`, `M${end.x + boxWidth},${end.y + 20} l8,-5 v10 z`, went, why, { x: width - 36, y: (y + end.y) / 2 });
    }
  }
  return h("svg", { class: "drawing graph", viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "State machine" }, ...edges, ...boxes);
}
