// What the views share: the page's elements, the API, the stream of counts, times.

export const statuses = ["PENDING", "PROCESSING", "FAILED", "PROCESSED", "DLQ"];
const svgNames = new Set(["svg", "path", "rect", "line", "text", "g", "circle", "title", "marker", "defs", "polyline"]);

// h makes an element. Strings among the children are text, and never read as HTML.
export function h(name, attributes = {}, ...children) {
  const e = svgNames.has(name) && name !== "title" || attributes.svg
    ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "svg" || value === undefined || value === false) continue;
    if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else if (key === "value") e.value = value;
    else e.setAttribute(key, value === true ? "" : String(value));
  }
  e.append(...children.flat().filter((c) => c !== undefined && c !== null));
  return e;
}

// Problem is an answer that is not what was asked for.
export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const tokenKey = "token";
const authorization = () => {
  const token = sessionStorage.getItem(tokenKey);
  return token ? { Authorization: "Bearer " + token } : {};
};

let asking = null;

// askToken asks for the server's token, once for all who need it.
function askToken() {
  asking ??= new Promise((resolve) => {
    const input = h("input", { type: "password", name: "token", autocomplete: "off", required: true });
    const dialog = h("dialog", { "aria-label": "Token" },
      h("form", { method: "dialog", class: "fields" },
        h("p", {}, "This server wants its token (TASKS_TOKEN). It is kept until this tab is closed."),
        h("label", {}, "Token", input), h("button", { class: "main" }, "Go on")));
    dialog.addEventListener("close", () => {
      sessionStorage.setItem(tokenKey, input.value);
      dialog.remove();
      asking = null;
      resolve();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
  return asking;
}

// call makes a request to the API and returns its answer.
export async function call(method, path, body, headers = {}) {
  for (;;) {
    let response;
    try {
      response = await fetch("local" + path, {
        method,
        headers: { ...authorization(), ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch {
      throw new Problem(0, "The server can't be reached. Is it running?");
    }
    if (response.status === 401) {
      await askToken();
      continue;
    }
    const text = await response.text();
    let answer;
    try {
      answer = JSON.parse(text);
    } catch {
      throw new Problem(response.status, `The server answered ${response.status}, and not as the API does.`);
    }
    if (!response.ok) throw new Problem(response.status, answer.detail || answer.message || `The server answered ${response.status}.`);
    return answer;
  }
}

// stream tells of new counts: the event "news", with samples and failure to be read.
export const stream = new EventTarget();
stream.samples = [];
stream.failure = "connecting";

const maxSamples = 600;

function tell(change) {
  change();
  stream.dispatchEvent(new Event("news"));
}

function take(event, data) {
  if (event === "samples") tell(() => { stream.samples = data; stream.failure = ""; });
  if (event === "sample") tell(() => { stream.samples = [...stream.samples, data].slice(-maxSamples); stream.failure = ""; });
  if (event === "failure") tell(() => { stream.failure = data; });
}

// listen reads the stream for ever. It is read by fetch, for an EventSource can't
// send a token.
export async function listen() {
  for (let wait = 500; ; wait = Math.min(2 * wait, 5000)) {
    try {
      const response = await fetch("events", { headers: authorization() });
      if (response.status === 401) {
        await askToken();
        continue;
      }
      if (!response.ok) throw new Error();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ""; ;) {
        const { value, done } = await reader.read();
        if (done) break;
        text += value;
        const events = text.split("\n\n");
        text = events.pop();
        for (const e of events) {
          const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(e) || [];
          if (name) take(name, JSON.parse(data));
        }
        wait = 500;
      }
    } catch { /* it is tried again */ }
    tell(() => { stream.failure = "The server can't be reached."; });
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

// moment shows a time in the viewer's zone, with the exact UTC on hover.
export function moment(utc, fraction) {
  if (!utc) return "–";
  const date = new Date(utc);
  const text = date.toLocaleString(undefined, {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: fraction,
  });
  return h("time", { datetime: utc, title: utc }, text);
}

// duration shows milliseconds.
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.round(ms % 60_000 / 1000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.round(ms % 3_600_000 / 60_000)} min`;
}

export const number = (n) => n.toLocaleString();
export const status = (s) => h("span", { class: "status " + (statuses.includes(s) ? s : "") }, s);
export const message = (text, kind = "") => h("p", { class: "message " + kind, role: kind === "bad" ? "alert" : "status" }, text);
export const taskLink = (id) => h("a", { class: "id", href: "#/tasks/" + encodeURIComponent(id) }, id);

// confirm asks, and returns what was chosen.
export function confirm(question, action) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-label": action },
      h("form", { method: "dialog" }, h("p", {}, question),
        h("div", { class: "actions" }, h("button", { class: "main", value: "yes" }, action), h("button", { value: "no" }, "Cancel"))));
    for (const b of dialog.querySelectorAll("button")) b.setAttribute("value", b.value);
    dialog.addEventListener("close", () => { resolve(dialog.returnValue === "yes"); dialog.remove(); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// keyed replaces the children of an element where they have changed: rows have a key
// and a state, and are made again only if that is another.
export function keyed(parent, rows, make) {
  const old = new Map([...parent.children].map((e) => [e.dataset.key, e]));
  const next = rows.map(({ key, state }) => {
    const e = old.get(key);
    if (e && e.dataset.state === state) return e;
    const made = make(key);
    made.dataset.key = key;
    made.dataset.state = state;
    return made;
  });
  if (next.length !== parent.children.length || next.some((e, i) => parent.children[i] !== e)) parent.replaceChildren(...next);
}
