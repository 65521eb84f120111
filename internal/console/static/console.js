// The page's frame: which view an address shows, and the line that says if it is
// up to date.
import { h, listen, message, stream } from "./base.js";
import { dlq, overview, submit, task, tasks } from "./views.js";

const main = document.getElementById("view"), live = document.getElementById("live");
let current = {};

function route() {
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  const of = { "": overview, "/": overview, "/tasks": tasks, "/dlq": dlq, "/submit": submit };
  const id = /^\/tasks\/([^/]+)$/.exec(path)?.[1];
  return { path, view: id ? task : of[path], query: new URLSearchParams(query || ""), id: id && decodeURIComponent(id) };
}

function show() {
  if (location.hash === "#view") return; // the link that skips to the content
  const { path, view, query, id } = route();
  current.leave?.();
  main.replaceChildren();
  for (const a of document.querySelectorAll("nav a")) {
    const here = a.getAttribute("href") === "#" + (path === "" ? "/" : path) || id && a.getAttribute("href") === "#/tasks";
    here ? a.setAttribute("aria-current", "page") : a.removeAttribute("aria-current");
  }
  current = view ? view(main, query, id) : (main.append(h("h1", {}, "There is nothing here"), message("Choose a view above.")), {});
  document.title = `${main.querySelector("h1")?.textContent || "Tasks"} – Tasks`;
  current.news?.();
}

window.addEventListener("hashchange", () => { show(); main.focus({ preventScroll: true }); window.scrollTo(0, 0); });
stream.addEventListener("news", () => {
  const down = stream.failure;
  const text = down || "live";
  if (live.textContent !== text) live.textContent = text;
  live.classList.toggle("down", Boolean(down));
  if (!down) current.news?.();
});
show();
listen();
