// Drives the console in a real Chromium, as a person would: see scripts/test-console.
// Arguments: the console's URL, the folder that has node_modules, and a folder for
// screenshots, or "". Or, after these, "time": how long each view takes to be filled.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import assert from "node:assert/strict";

const [base, modules, shots, time] = process.argv.slice(2);
const require = createRequire(modules + "/");
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const noise = [];

async function open(options) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) noise.push(`${m.text()} ${m.location().url}`); });
  page.on("pageerror", (e) => noise.push(e.message));
  page.on("dialog", (d) => { noise.push("a dialog: " + d.message()); d.dismiss(); });
  page.on("request", (r) => { if (!r.url().startsWith(base)) noise.push("a request to " + r.url()); });
  return page;
}

const post = async (path, body) => (await fetch(base + "local" + path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json();
const ok = (what) => console.log("ok: " + what);

// accessible fails for a violation of WCAG 2 A or AA. axe is put in by the driver,
// past the page's policy.
async function accessible(page, what) {
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  const { result } = await session.send("Runtime.evaluate", {
    expression: `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }).then((r) => JSON.stringify(r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html + " " + n.failureSummary).join(" | "))))`,
    awaitPromise: true,
  });
  const violations = JSON.parse(result.value);
  assert.deepEqual(violations, [], what);
  await session.detach();
}

if (time) {
  const p = await open({});
  const newest = await (await fetch(base + "local/tasks?limit=1")).json();
  const filled = { overview: ["#/", ".tile b:not(:text('–'))"], tasks: ["#/tasks", "tbody tr"], "tasks by status": ["#/tasks?status=PROCESSED", "tbody tr"],
    task: ["#/tasks/" + newest.tasks[0].taskId, "dd .status"], dlq: ["#/dlq", "tbody tr"], submit: ["#/submit", "textarea"] };
  for (const [view, [path, there]] of Object.entries(filled)) {
    const took = [];
    for (let n = 0; n < 9; n++) {
      await p.goto("about:blank");
      const began = performance.now();
      await p.goto(base + path);
      await p.locator(there).first().waitFor();
      took.push(performance.now() - began);
    }
    console.log(`${view}: ${took.sort((a, b) => a - b)[4].toFixed(0)} ms`);
  }
  await browser.close();
  process.exit(0);
}

const page = await open({});

// Submit a task from the form, watch it fail and retry, and see it in the DLQ.
await page.goto(base);
await page.getByText("live", { exact: true }).waitFor();
await page.getByRole("link", { name: "Submit" }).click();
await page.getByLabel("Answer").fill("dies at first");
await page.getByLabel("Labels").fill("team=billing");
await page.getByRole("button", { name: "Submit" }).click();
await page.getByText("The next attempt is due").waitFor();
ok("a submitted task is seen to wait for its retry");
await page.getByText("4.0", { exact: false }).first().waitFor();
await page.locator("dd .status.DLQ").waitFor();
const attempts = await page.locator(".attempts li").allInnerTexts();
assert.equal(attempts.length, 3);
assert.match(attempts[1], /2\.0\d s after the last/);
assert.match(attempts[2], /4\.0\d s after the last/);
ok("its attempts, 2 s and 4 s apart, and its end in the DLQ are seen, without a reload");
assert.equal(await page.locator("svg.graph .node.caught").count(), 1);
assert.equal(await page.locator("svg.graph .node.failed").count(), 1);
await page.locator("details").first().click();
assert.match(await page.locator("details pre").first().innerText(), /"taskId"/);
ok("the path is drawn, and the events open");
const dead = page.url();

// The dead letters: grouped, selected, redriven with a confirmation.
await page.getByRole("link", { name: "Dead letters" }).click();
await page.getByRole("cell", { name: /WorkerError: / }).first().waitFor();
await page.getByRole("checkbox").first().check();
await page.getByRole("button", { name: "Redrive the selected" }).click();
await page.getByRole("button", { name: "Cancel" }).click();
assert.equal(await page.getByRole("checkbox").count(), 1);
ok("a redrive that is not confirmed changes nothing");
await page.getByRole("button", { name: "Redrive all that match" }).click();
await page.getByText("Give 1 task a new run").waitFor();
await page.getByRole("button", { name: "Redrive 1" }).click();
await page.getByText("1 redriven.").waitFor();
ok("a dry run counts, and all that match are redriven");
await page.goto(dead);
await page.locator("dd .status.DLQ, dd .status.PROCESSED").waitFor();
assert.ok((await page.locator("h3").allInnerTexts()).some((t) => t.startsWith("Run 2")));
ok("its second run is shown beside the first");

// What a task has in it is text.
const evil = '<img src=x onerror=alert(1)>';
const { taskId } = await post("/tasks", { answer: evil, labels: { team: evil } });
for (const path of [`#/tasks/${taskId}`, "#/tasks"]) {
  await page.goto(base + path);
  await page.getByText(evil).first().waitFor();
  assert.equal(await page.locator("img").count(), 0);
}
ok("a task's text is shown as text");

// Filters, deep links, the back button, the keyboard.
await page.goto(base + "#/tasks?label=team%3Abilling");
await page.getByRole("link", { name: new RegExp(dead.split("/").pop()) }).waitFor();
assert.equal(await page.locator("tbody tr").count(), 1);
await page.getByLabel("Status").selectOption("PENDING");
await page.getByRole("button", { name: "Filter" }).click();
await page.getByText("No task is as the filters say.").waitFor();
await page.goBack();
await page.getByRole("link", { name: new RegExp(dead.split("/").pop()) }).waitFor();
assert.equal(await page.getByLabel("Label").inputValue(), "team:billing");
await page.getByLabel("Task id").fill("no such");
await page.getByRole("button", { name: "Filter" }).click();
await page.getByText("No task is as the filters say.").waitFor();
const missing = "01939a3e-7c00-7000-8000-000000000001";
await page.goto(base + "#/tasks/" + missing);
await page.getByText("There is no task of this id").waitFor();
await page.goto(base + "#/nowhere");
await page.getByText("There is nothing here").waitFor();
ok("filters are in the address, and the back button takes them back");
await page.goto(base);
await page.keyboard.press("Tab");
assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
await page.keyboard.press("Tab");
await page.keyboard.press("Tab");
await page.keyboard.press("Enter");
await page.getByRole("heading", { name: "Tasks, newest first" }).waitFor();
ok("the views are reached by the keyboard");

// Each view, light and dark, wide and narrow.
const views = { overview: "#/", tasks: "#/tasks", task: new URL(dead).hash, dlq: "#/dlq", submit: "#/submit" };
for (const [name, options] of Object.entries({
  light: { colorScheme: "light" }, dark: { colorScheme: "dark" }, narrow: { viewport: { width: 360, height: 740 } }, "narrow-dark": { viewport: { width: 360, height: 740 }, colorScheme: "dark" },
})) {
  const p = await open(options);
  for (const [view, path] of Object.entries(views)) {
    await p.goto(base + path);
    await p.getByText("live", { exact: true }).waitFor();
    await p.waitForFunction(() => document.querySelector("h1") && !document.querySelector("dl:empty"));
    await accessible(p, `${view}, ${name}`);
    const [wide, window] = await p.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= window, `${view}, ${name} is ${wide} wide in ${window}`);
    if (shots) await p.screenshot({ path: `${shots}/${view}-${name}.png`, fullPage: true });
  }
  await p.context().close();
}
ok("axe finds no violation in any view, light or dark, wide or narrow, and nothing is wider than the page");
// Of a task that is not there the browser says so itself, sooner or later.
assert.deepEqual(noise.filter((n) => !(n.includes("404 (Not Found)") && n.includes(missing))), []);
ok("no error in the browser's log, no dialog, no request to elsewhere");
await browser.close();
