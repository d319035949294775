// The page: who is here, and what each key does.

import { Add } from "./add.js";
import { LOOK_AGAIN, call, pause, setKey } from "./api.js";
import { Breaks } from "./breaks.js";
import { Details } from "./details.js";
import { $, count, make, notice } from "./dom.js";
import { closeByEscape, fillHelp, listen } from "./keys.js";
import { Settings } from "./settings.js";
import { SignIn, again } from "./signin.js";
import { showTeam } from "./team.js";
import { Totals } from "./totals.js";
import { View } from "./view.js";
import { find, walk } from "./walk.js";
import { tidy } from "./windows.js";

const SUMMARY_EVERY = 10_000;
const TAKES_SPACE = "button[data-act], button[data-state], #chips button, summary";
const SIGNS_OF_LIFE = ["keydown", "pointerdown", "pointermove", "wheel"];

let me, settings, add;
let here = false;

const totals = new Totals();
const view = new View({ reveal: () => act("reveal"), waiting: saving, tally: (...change) => totals.tally(...change),
  recount: () => totals.recount(), failed });
const { queue, stage, grid, filters, decisions } = view;
const { outbox } = decisions;
const breaks = new Breaks(remind);
const signIn = new SignIn({ come, leave, failed });

function start() {
  fillHelp();
  closeByEscape();
  // what was clicked must not take the next Space, which shows the photo
  document.addEventListener("click", ({ detail, target }) => detail && target.closest(TAKES_SPACE)?.blur(), true);
  for (const button of document.querySelectorAll("button[data-act]")) button.addEventListener("click", () => act(button.dataset.act));
  for (const button of document.querySelectorAll("button[data-state]")) button.addEventListener("click", () => view.go({ state: button.dataset.state }));
  for (const button of document.querySelectorAll("button[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
  filters.listen();
  find($("other"), $("other-list"));
  $("other-list").addEventListener("keydown", (event) => walk(event, $("other-list")));
  for (const name of SIGNS_OF_LIFE) document.addEventListener(name, () => breaks.here(), { capture: true, passive: true });
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
  addEventListener("pageshow", ({ persisted }) => persisted && view.details && view.go({}));
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
  totals.begin(me.today.decided);
  prefer(me.preferences);
  if (settings) settings.belongTo(me);
  else await begin();
  await outbox.recover();
  // others need not wait for what a window had that crashed; where that cannot be, they do
  tidy(me.moderator, outbox.tail, outbox.journal.gone).catch(() => {});
  view.go({});
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
  view.details = new Details(known, (category) => view.decideCurrent("confirm", category), (listing) => view.go({ filter: { listing_id: listing } }));
  settings = new Settings(me, prefer);
  add = new Add((batch) => {
    $("add").close();
    view.go({ state: "open", filter: { batch_id: batch } });
  }, () => queue.items.length < 2 && !$("rest").open && queue.take(), failed);
  $("filter-category").append(...categories.map(({ id, name }) => make("option", { value: id }, name)));
  $("other-list").replaceChildren(...categories.map(({ id, name }) => make("li", {}, make("button", { type: "button", click: () => {
    $("other").close();
    view.confirmOther(id);
  } }, name))));
  listen(act, () => ({ grid: view.gridOn, shortcuts: settings.chosen.shortcuts }));
  document.addEventListener("pointerdown", () => breaks.active());
  setInterval(look, SUMMARY_EVERY);
  queue.holds = me.claim_seconds * 1e3;
  // by the clock: a machine that slept wakes in the middle of a wait
  const due = () => queue.age > queue.holds / 3;
  setInterval(() => here && queue.items.length && due() && queue.take(), Math.min(LOOK_AGAIN, queue.holds / 3));
  setInterval(() => here && !queue.items.length && !document.hidden && !$("rest").open && queue.take(), LOOK_AGAIN);
  // nobody else waits for what an empty desk has, and nobody else sees it there
  setInterval(() => here && queue.items.length && !$("rest").open && breaks.away && rest(), LOOK_AGAIN);
  document.body.dataset.ready = "yes";
}

function act(name, argument) {
  breaks.active();
  const actions = {
    confirm: () => view.decide("confirm"),
    reject: () => view.decide("reject"),
    unsure: () => view.decide("unsure"),
    escalate: () => view.decide("escalate"),
    confirmNth: () => {
      const finding = queue.current?.fields.findings[argument];
      if (finding) view.decideCurrent("confirm", finding.category);
    },
    other: () => view.askOther(),
    undo: () => decisions.undo(),
    skip: () => {
      queue.skip();
      view.render();
    },
    reveal: () => stage.toggleReveal(),
    heat: () => queue.current && stage.toggleHeat(queue.current.fields.findings[0].category)
      .catch((error) => notice(error.message, { kind: "error" })),
    boxes: () => stage.toggleBoxes(),
    zoom: () => stage.toggleZoom(),
    grid: () => view.toggleGrid(),
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

function saving(waiting, why = "") {
  document.body.dataset.waiting = waiting;
  $("login-waiting").textContent = waiting
    ? `${waiting === 1 ? "1 decision waits for whoever made it" : `${waiting} decisions wait for whoever made them`}.` : "";
  $("saving").hidden = waiting < 5 && !why;
  $("saving").textContent = `${why} ${waiting} ${waiting === 1 ? "decision is" : "decisions are"} being saved …${why ? " Keep this page open." : ""}`;
}

function failed(error) {
  if (error.stale) return;
  if (error.status === 401 || error.status === 403) signIn.ask(error);
  // without a photo the page says it in its place
  else if (queue.current) notice(error.message, { kind: "error", seconds: 3 });
}

async function look() {
  if (document.hidden || !here) return;
  try {
    const { tallied } = totals;
    const sending = outbox.waiting;
    const over = totals.over && await call("GET", "/v1/review/me");
    const { states, sources } = await call("GET", "/v1/review/summary");
    // counted before a decision, or beside one: older than what is shown
    if (sending || totals.tallied !== tallied) return;
    if (over) totals.begin(over.today.decided);
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
  await view.rest();
}

document.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (step && !view.gridOn && !document.querySelector("dialog[open]") && stage.pan(...step)) event.preventDefault();
});

start();
