// The page: who is here, what is in front of them, and what each key does.

import { Add } from "./add.js";
import { LOOK_AGAIN, call, pause, setKey } from "./api.js";
import { Breaks } from "./breaks.js";
import { Decisions } from "./decisions.js";
import { Details } from "./details.js";
import { $, count, make, notice, percent, say } from "./dom.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { closeByEscape, fillHelp, listen } from "./keys.js";
import { Queue } from "./queue.js";
import { applyTheme, Settings } from "./settings.js";
import { SignIn, again } from "./signin.js";
import { Stage } from "./stage.js";
import { showTeam } from "./team.js";
import { Totals } from "./totals.js";

const SUMMARY_EVERY = 10_000;

let me, details, settings, add;
let here = false;
let state = "open";
let gridOn = false;

const queue = new Queue(render, failed);
const stage = new Stage(() => act("reveal"));
const grid = new Grid(queue, gridChanged, openFromGrid);
const breaks = new Breaks(remind);
const totals = new Totals();
const signIn = new SignIn({ come, leave, failed });
const decisions = new Decisions(queue, { waiting: saving, changed: tell, tally: (...change) => totals.tally(state, ...change) });
const { outbox } = decisions;
const filters = new Filters((chosen) => go({ filter: chosen }), (category) => details.categories.get(category)?.name ?? category);

function start() {
  applyTheme();
  fillHelp();
  closeByEscape();
  for (const button of document.querySelectorAll("button[data-act]")) {
    button.addEventListener("click", ({ detail }) => {
      // a button that was clicked must not take the next Space, which shows the photo
      if (detail) button.blur();
      act(button.dataset.act);
    });
  }
  for (const button of document.querySelectorAll("button[data-state]")) button.addEventListener("click", () => go({ state: button.dataset.state }));
  for (const button of document.querySelectorAll("button[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
  filters.listen();
  $("break-rest").addEventListener("click", rest);
  $("break-over").addEventListener("click", () => {
    $("rest").close();
    queue.take();
  });
  $("forget-key").addEventListener("click", async () => {
    // by the key that took the photos, so that nobody waits for them
    await Promise.race([queue.restart(queue.filter, false), pause(LOOK_AGAIN)]);
    breaks.rest();
    setKey("");
    location.reload();
  });
  $("sending-stop").addEventListener("click", () => add.stop());
  addEventListener("pagehide", () => queue.restart(queue.filter, false));
  addEventListener("pageshow", ({ persisted }) => persisted && details && go({}));
  signIn.enter();
}

async function come(found) {
  if (me && me.moderator !== found.moderator) {
    breaks.rest();
    add?.forget();
  }
  me = found;
  here = true;
  outbox.belongTo(me.moderator);
  $("keeps-nothing").hidden = me.retention_hours > 0;
  $("may-not-add").hidden = me.may_add;
  $("state-second").hidden = me.second_opinion === "off";
  totals.today = me.today.decided;
  prefer(me.preferences);
  if (settings) settings.chosen = me.preferences;
  else await begin();
  go({});
  look();
}

function leave() {
  here = false;
  outbox.belongTo(null);
}

/** What is done once, as soon as somebody may be here. */
async function begin() {
  const { categories } = await again(() => call("GET", "/v1/categories"));
  const known = new Map(categories.map((category) => [category.id, category]));
  details = new Details(known, (category) => decide("confirm", category), (listing) => go({ filter: { listing_id: listing } }));
  settings = new Settings(me.preferences, prefer);
  add = new Add((batch) => {
    $("add").close();
    go({ state: "open", filter: { batch_id: batch } });
  }, () => queue.items.length < 2 && !$("rest").open && queue.take());
  $("filter-category").append(...categories.map(({ id, name }) => make("option", { value: id }, name)));
  $("other-list").replaceChildren(...categories.map(({ id, name }) => make("li", {}, make("button", { type: "button", click: () => {
    $("other").close();
    decide("confirm", id);
  } }, name))));
  listen(act, () => ({ grid: gridOn, shortcuts: settings.chosen.shortcuts }));
  document.addEventListener("pointerdown", () => breaks.active());
  setInterval(look, SUMMARY_EVERY);
  setInterval(() => here && queue.items.length && queue.take(), (me.claim_seconds * 1e3) / 3);
  setInterval(() => here && !queue.items.length && !document.hidden && !$("rest").open && queue.take(), LOOK_AGAIN);
  document.body.dataset.ready = "yes";
}

/** Show another state, other filters, or the grid. */
async function go({ state: wanted = state, filter = filters.chosen, gridded = gridOn }) {
  state = wanted;
  filters.chosen = filter;
  gridOn = gridded;
  await outbox.tail;
  decisions.forget();
  grid.selected.clear();
  queue.gridded(gridOn);
  filters.show();
  for (const button of document.querySelectorAll("button[data-state]")) button.setAttribute("aria-pressed", String(button.dataset.state === state));
  await queue.restart({ state, ...filters.asked() });
  render();
}

function act(name, argument) {
  breaks.active();
  const chosen = gridOn ? grid.chosen : [];
  const actions = {
    confirm: () => (gridOn ? decideAll("confirm", chosen) : decide("confirm")),
    reject: () => (gridOn ? decideAll("reject", chosen) : decide("reject")),
    unsure: () => (gridOn ? decideAll("unsure", chosen) : decide("unsure")),
    escalate: () => (gridOn ? decideAll("escalate", chosen) : decide("escalate")),
    confirmNth: () => {
      const finding = queue.current?.fields.findings[argument];
      if (finding) decide("confirm", finding.category);
    },
    other: () => queue.current && $("other").showModal(),
    undo: () => decisions.undo(),
    skip: () => {
      queue.skip();
      render();
    },
    reveal: () => stage.toggleReveal(),
    heat: () => queue.current && stage.toggleHeat(queue.current.fields.findings[0].category)
      .catch((error) => notice(error.message, { kind: "error" })),
    boxes: () => stage.toggleBoxes(),
    zoom: () => stage.toggleZoom(),
    grid: toggleGrid,
    selectAll: () => grid.toggleAll(),
    select: () => grid.toggleFocused(),
    open: () => grid.openFocused(),
    revealAll: () => grid.toggleReveal(),
    filters: () => filters.open(),
    add: () => add.openDialog(),
    team: () => showTeam(me),
    settings: () => settings.open(),
    help: () => $("help").showModal(),
  };
  actions[name]?.();
}

/** Decide about the photo in front; never about one that was not on the screen. */
function decide(decision, category = null) {
  const entry = queue.current;
  if (!entry || !["shown", "gone", "failed"].includes(entry.state)) {
    if (entry) say("The photo is not there yet.");
    return;
  }
  decisions.make([entry], decision, category);
}

function decideAll(decision, entries) {
  if (!entries.length) {
    notice("Nothing is selected. Space selects a photo, A all of them.", { seconds: 4 });
    return;
  }
  decisions.make(entries, decision, null);
  grid.focus();
}

/** The queue is another one, by what `text` says was decided or taken back. */
function tell(text) {
  render();
  if (!text) return;
  $("last").textContent = text;
  const next = queue.current;
  const strongest = next?.fields.findings[0];
  say(next && !gridOn ? `${text} Next: ${strongest.name}, ${percent(strongest.probability)}, ${next.fields.verdict}.` : text);
}

function saving(waiting, why = "") {
  document.body.dataset.waiting = waiting;
  $("saving").hidden = waiting < 5 && !why;
  $("saving").textContent = `${why} ${waiting} ${waiting === 1 ? "decision is" : "decisions are"} being saved …`;
}

function failed(error) {
  if (error.stale) return;
  if (error.status === 401 || error.status === 403) signIn.ask(error);
  else notice(error.message, { kind: "error", seconds: 3 });
}

function render(changed) {
  if (!details || (changed && changed !== queue.current && !gridOn)) return;
  const empty = !queue.items.length;
  const nothing = empty && (queue.taking === null || queue.emptyAt);
  if (nothing && $("nothing").hidden) say("Nothing left here.");
  $("nothing").hidden = !nothing;
  $("nothing-filtered").hidden = !filters.any;
  $("single").hidden = gridOn || empty;
  $("grid").hidden = !gridOn || empty;
  document.body.dataset.view = gridOn ? "grid" : "single";
  for (const button of document.querySelectorAll("[data-needs]")) button.disabled = empty;
  if (gridOn) grid.render();
  else {
    const entry = queue.current ?? null;
    const another = details.entry !== entry;
    stage.show(entry);
    details.show(entry);
    if (another && entry?.similar?.length) refresh(entry);
    if (entry?.state === "shown" && stage.wantsHeat()) entry.loadHeat(entry.fields.findings[0].category).catch(() => {});
  }
}

/** What was decided a moment ago counts among what was seen before. */
async function refresh(entry) {
  await outbox.tail;
  await entry.loadSimilar();
  if (entry === queue.current && !gridOn) details.show(entry);
}

function gridChanged(chosen) {
  if (!gridOn) return;
  for (const button of document.querySelectorAll(".actions [data-decides]")) button.disabled = !chosen;
}

async function toggleGrid() {
  gridOn = !gridOn;
  $("grid-toggle").setAttribute("aria-pressed", String(gridOn));
  queue.gridded(gridOn);
  for (const button of document.querySelectorAll(".actions [data-decides]")) button.disabled = false;
  render();
  if (gridOn) {
    await queue.take();
    grid.focus();
  }
}

function openFromGrid(entry) {
  queue.first(entry);
  toggleGrid();
}

async function look() {
  if (document.hidden || !here) return;
  try {
    const { tallied } = totals;
    const { states, sources } = await call("GET", "/v1/review/summary");
    // counted before a decision, or beside one: older than what is shown
    if (outbox.waiting || totals.tallied !== tallied) return;
    $("sources").replaceChildren(...sources.map((value) => make("option", { value })));
    totals.take(states);
  } catch (error) {
    if (!error.passing) failed(error);
  }
}

// preferences and breaks

function prefer(chosen) {
  stage.prefer(chosen);
  breaks.minutes = chosen.break_minutes;
  document.body.classList.toggle("blur", chosen.blur);
  document.body.classList.toggle("grey", chosen.grey);
  document.body.classList.toggle("no-shortcuts", !chosen.shortcuts);
}

function remind(minutes) {
  $("break-text").textContent = `You have been looking at photos for ${minutes} minutes and decided about ${count(totals.today)} today.`;
  if (!$("break").open) $("break").showModal();
}

async function rest() {
  $("break").close();
  breaks.rest();
  $("rest").showModal();
  await outbox.tail;
  await queue.restart({ state, ...filters.asked() }, false);
}

document.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (step && !gridOn && !document.querySelector("dialog[open]") && stage.pan(...step)) event.preventDefault();
});

start();
