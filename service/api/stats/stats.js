// The report of GET /v1/stats as tables and one chart. Text goes in as text, so that no source is taken for markup.

// one key for both pages in a tab
import { call, file, hasKey, setKey } from "../review-assets/api.js";

// a report of many photos is long in the making, and waits for others
const PATIENCE = { patience: 600_000 };
const SPACE = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);
const count = (value) => value.toLocaleString("en");
const digits = (value, many) => value.toLocaleString("en", { minimumSignificantDigits: many, maximumSignificantDigits: many });
// what is left of a difference of equal numbers is nothing
const percent = (value) => (Math.abs(value) < 1e-12 ? "0 %" : `${digits(value * 100, Math.abs(value) < 0.1 ? 2 : 3)} %`);
const shown = (interval) =>
  interval ? `${percent(interval.value)} (${percent(interval.low)} to ${percent(interval.high)})` : "–";

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function drawn(tag, properties, ...children) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A table named by the heading `title`; the first cell of a row names the row. */
function table(title, names, rows) {
  const head = make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name)));
  const body = rows.map(([name, ...cells]) =>
    make("tr", {}, make("th", { scope: "row" }, name), ...cells.map((cell) => make("td", {}, cell))));
  return make("table", { "aria-labelledby": title }, make("thead", {}, head), make("tbody", {}, ...body));
}

const names = new Map();
const named = (category) => names.get(category) ?? category;

const NAMES = ["Photos", "Flagged", "Share flagged", "Decided", "Confirmed", "Precision", "Recall", "Live photos", "Live flagged"];

const cells = (line) => [
  count(line.seen), count(line.flagged), shown(line.flagged_share), count(line.decided), count(line.confirmed),
  shown(line.precision), shown(line.recall), count(line.live_seen), shown(line.live_share),
];

function card(name, value, note = "") {
  return make("div", { class: "card" }, make("span", { class: "faint" }, name), make("strong", {}, value),
    make("span", { class: "faint" }, note));
}

function total(line) {
  const interval = (one) => (one ? [percent(one.value), `${percent(one.low)} to ${percent(one.high)}`] : ["–", "not known yet"]);
  const sample = line.sampled ? `${count(line.missed)} of ${count(line.sampled)} sampled were missed` : "no random sample was decided";
  const [recall, ends] = interval(line.recall);
  $("total").replaceChildren(
    card("Photos of batches", count(line.seen), `${count(line.failed)} could not be judged`),
    card("Flagged", ...interval(line.flagged_share)),
    card("Precision", ...interval(line.precision)),
    card("Recall", recall, line.recall ? `${ends}; ${sample}` : sample),
    card("Decided", count(line.decided), `of ${count(line.flagged)} flagged`),
    card("Photos of live requests", count(line.live_seen), line.live_share ? `${shown(line.live_share)} flagged` : "none came"),
  );
}

function fall(found) {
  if (!found) {
    $("fall").replaceChildren(make("p", { class: "faint" }, "Choose the days of a baseline to see it."));
    return;
  }
  const words = { true: "reached", false: "not reached", null: "cannot be said yet" };
  const rows = found.lines.map((line) => [line.category ? named(line.category) : "all", shown(line.fall), words[line.reached]]);
  const note = `Confirmed products among all photos of batches, against ${found.baseline_since} to ${found.baseline_until}; below zero it rose.`;
  const parts = [make("p", {}, note)];
  if (!found.comparable) {
    parts.push(make("p", { class: "warn" }, "Other models or policies judged then: the fall may be theirs."));
  }
  parts.push(table("h-fall", ["Category", "Fall", `Aim of ${percent(found.aim)}`], rows));
  $("fall").replaceChildren(...parts);
}

/** Share flagged by week: points with their intervals, and how many photos were seen as bars. */
function chart(weeks) {
  const [width, height, left, bottom, top] = [900, 240, 60, 28, 12];
  const most = Math.max(...weeks.map((week) => week.flagged_share?.high ?? 0), 1e-6);
  const many = Math.max(...weeks.map((week) => week.seen), 1);
  const step = (width - left - 10) / Math.max(weeks.length, 1);
  // as many dates as have room; the year too, where a date would not say which
  const years = weeks.length > 52;
  const every = Math.ceil(weeks.length / (years ? 11 : 20));
  const y = (value) => height - bottom - value * (height - bottom - top);
  const parts = [0, 0.5, 1].flatMap((part) => [
    drawn("line", { class: "axis", x1: left, x2: width - 10, y1: y(part), y2: y(part) }),
    drawn("text", { x: left - 6, y: y(part) + 4, "text-anchor": "end" }, percent(part * most)),
  ]);
  weeks.forEach((week, place) => {
    const x = left + step * (place + 0.5);
    const bar = drawn("rect", { class: "bar", x: x - step * 0.3, width: step * 0.6, y: y(week.seen / many), height: y(0) - y(week.seen / many) });
    bar.append(drawn("title", {}, `${week.week}: ${count(week.seen)} photos`));
    parts.push(bar);
    const share = week.flagged_share;
    if (share) {
      parts.push(drawn("line", { class: "interval", x1: x, x2: x, y1: y(share.low / most), y2: y(share.high / most) }));
      const point = drawn("circle", { class: "point", cx: x, cy: y(share.value / most), r: 4 });
      point.append(drawn("title", {}, `${week.week}: ${shown(share)} flagged`));
      parts.push(point);
    }
    if (place % every === 0) {
      parts.push(drawn("text", { x, y: height - 8, "text-anchor": "middle" }, years ? week.week : week.week.slice(5)));
    }
  });
  const label = "Share flagged by week with 95 % intervals (points), and photos seen (bars); the table below has the numbers";
  $("chart").replaceChildren(drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, ...parts));
}

function drift(found) {
  const number = (value) => (value === null ? "–" : digits(value, 2));
  const rows = found.shifts.map((one) => [
    named(one.category), number(one.psi), one.share === null ? "–" : percent(one.share),
    one.share_before === null ? "–" : percent(one.share_before), number(one.ratio),
    one.alerts.length ? make("span", { class: "warn" }, `drifts: ${one.alerts.join(", ")}`) : "",
  ]);
  const span = `${found.since} to ${found.until} against ${found.before_since} to ${found.before_until}, all photos.`;
  const parts = [make("p", { class: found.alert ? "warn" : "" }, found.alert ? `Something drifts. ${span}` : span)];
  parts.push(table("h-drift", ["Category", "Index of scores", "Share of findings", "Before", "Ratio", "Alert"], rows));
  if (found.shifts.every((one) => one.psi === null)) {
    parts.push(make("p", { class: "faint" }, "Too few photos on one side or the other: nothing can be told yet."));
  }
  $("drift").replaceChildren(...parts);
}

function show(found) {
  for (const name of ["since", "until"]) $("ask").elements[name].value = found[name];
  if (found.fall) {
    for (const name of ["baseline_since", "baseline_until"]) $("ask").elements[name].value = found.fall[name];
  }
  if (!found.source) {
    $("sources").replaceChildren(...found.sources.filter((line) => line.source).map((line) => make("option", { value: line.source })));
  }
  // by its own words: what is asked for may change, or fail, while it stands there
  $("h-total").textContent = `${found.since} to ${found.until}${found.source ? `, from ${found.source}` : ""}`;
  total(found.total);
  fall(found.fall);
  chart(found.weeks);
  $("weeks").replaceChildren(table("h-weeks", ["Week of", ...NAMES], found.weeks.map((line) => [line.week, ...cells(line)])));
  $("categories").replaceChildren(table("h-categories", ["Category", ...NAMES], found.categories.map((line) => [named(line.category), ...cells(line)])));
  $("sources-table").replaceChildren(table("h-sources", ["Source", ...NAMES], found.sources.map((line) => [line.source || "not named", ...cells(line)])));
  drift(found.drift);
  $("report").hidden = false;
  // where it is wider than the screen, the latest weeks are in sight
  $("chart").scrollLeft = $("chart").scrollWidth;
}

function address(format) {
  const given = [...new FormData($("ask"))].filter(([, value]) => value !== "");
  return `/v1/stats?${new URLSearchParams([...given, ["format", format]])}`;
}

/** Ask for the names of the categories; without an answer the page shows their ids. */
async function learnNames() {
  if (names.size) return;
  const { categories } = await call("GET", "/v1/categories").catch(() => ({ categories: [] }));
  for (const { id, name } of categories) names.set(id, name);
}

const asked = { json: 0, csv: 0 };

/** The answer of `work`; nothing without one, or when it was asked for anew meanwhile. */
async function ask(format, work) {
  $("message").textContent = "Counting …";
  const turn = ++asked[format];
  let answer = null;
  let said = "";
  let refused = false;
  try {
    answer = await work(address(format));
  } catch (error) {
    refused = error.status === 401 || error.status === 403;
    said = error.status === 401 && !hasKey() ? "A key is needed." : error.message;
  }
  if (turn !== asked[format]) return null;
  $("message").textContent = said;
  $("key-form").hidden = !refused;
  if (refused) $("key-form").elements.key.focus();
  return answer;
}

async function refresh() {
  const found = await ask("json", (path) => call("GET", path, undefined, PATIENCE));
  if (!found) return;
  await learnNames();
  show(found);
}

async function download() {
  const table = await ask("csv", (path) => file(path, PATIENCE));
  if (!table) return;
  const link = make("a", { href: URL.createObjectURL(table), download: "faunalens-statistics.csv" });
  link.click();
  URL.revokeObjectURL(link.href);
}

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  refresh();
});
$("csv").addEventListener("click", download);
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setKey($("key-form").elements.key.value);
  $("key-form").reset();
  refresh();
});
refresh();
