// What is in front of the moderator: photos of one state and with some filters, one at a time or many in the grid.

import { Decisions } from "./decisions.js";
import { $, able, notice, percent, say } from "./dom.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { Queue } from "./queue.js";
import { GLANCE } from "./seen.js";
import { Stage } from "./stage.js";

const PATIENCE = 500;
// until a hand that was about to decide about the photo that was there before has seen that another is
const STARTLE = 1000;
const DECIDABLE = ["shown", "gone", "failed"];

export class View {
  /** Nothing is shown before there are details. */
  details = null;
  gridOn = false;
  #state = "open";
  #wanted = "open";
  #there = null;
  #since = 0;
  #late = false;
  #startled = 0;
  #nothing = "";
  #asking = null;

  /**
   * `reveal()`: the photo was pressed; `waiting(number, why)`: so many decisions are not kept yet;
   * `tally(state, change, decision)`: they were made, or taken back; `recount()`: others were; `failed(failure)`.
   */
  constructor({ reveal, waiting, tally, recount, failed }) {
    this.queue = new Queue({ changed: (entry) => this.render(entry), failed, lapsed: (entries) => this.#lose(entries) });
    this.stage = new Stage(reveal);
    this.grid = new Grid(this.queue, (chosen) => this.#chosen(chosen), (entry) => this.#open(entry));
    this.filters = new Filters((filter) => this.go({ filter }), (category) => this.details.categories.get(category)?.name ?? category);
    this.decisions = new Decisions(this.queue, { waiting, recount, failed, changed: (text, late) => this.#tell(text, late),
      tally: (...change) => tally(this.#state, ...change) });
  }

  /** Show another state, or other filters. */
  async go({ state = this.#wanted, filter = this.filters.chosen }) {
    this.#wanted = state;
    this.filters.chosen = filter;
    this.filters.show();
    for (const button of document.querySelectorAll("button[data-state]")) button.setAttribute("aria-pressed", String(button.dataset.state === state));
    await this.#saved();
    this.#state = state;
    this.decisions.forget();
    this.grid.selected.clear();
    this.queue.gridded(this.gridOn);
    await this.queue.restart(this.#asked);
    this.render();
  }

  /** Decisions go before their photos are given back. */
  async #saved() {
    let close = () => {};
    const later = setTimeout(() => (close = notice("What you decided is saved first.", { seconds: 0 })), PATIENCE);
    await this.decisions.outbox.drained();
    clearTimeout(later);
    close();
  }

  /** Give everything back, and take nothing until somebody asks. */
  async rest() {
    await this.#saved();
    const { queue } = this;
    const { taking } = queue;
    await queue.restart(this.#asked, false);
    // the service may have given these after it took the others back
    await taking;
    if (taking && !queue.taking && !queue.items.length) await queue.release();
  }

  /** What others have by now is not looked at in vain. */
  async #lose(entries) {
    await this.decisions.outbox.drained();
    const lost = await this.queue.lose(entries);
    if (!lost) return;
    this.#tell("", true);
    notice(`${lost} ${lost === 1 ? "photo is" : "photos are"} another moderator's by now, or not there any more.`);
    this.queue.topUp();
  }

  get #asked() {
    return { state: this.#state, ...this.filters.asked() };
  }

  render(changed) {
    const { queue } = this;
    if (!this.details || (changed && changed !== queue.current && !this.gridOn)) return;
    const empty = !queue.items.length;
    this.#renderNothing(empty && (queue.empty || queue.trouble !== ""));
    const held = document.activeElement?.closest("#single, #grid");
    $("single").hidden = this.gridOn || empty;
    $("grid").hidden = !this.gridOn || empty;
    if (held?.hidden) $("main").focus({ preventScroll: true });
    document.body.dataset.view = this.gridOn ? "grid" : "single";
    for (const button of document.querySelectorAll("[data-needs]")) able(button, !empty);
    if (this.gridOn) this.grid.render();
    else this.#renderSingle(queue.current ?? null);
  }

  #renderNothing(nothing) {
    const { trouble } = this.queue;
    const title = trouble ? "No photos come" : "Nothing left here";
    // not what the page says: that may have been translated
    if (nothing && this.#nothing !== title) say(`${title}. ${trouble}`);
    this.#nothing = nothing ? title : "";
    $("nothing").hidden = !nothing;
    $("nothing-title").textContent = title;
    const why = this.#state === "second" ? "What you were the first to decide waits for somebody else."
      : this.queue.passed.size ? "What you left here waits for others."
        : "Each photo here is decided, or in front of somebody else.";
    $("nothing-why").textContent = trouble ? `${trouble} They come by themselves as soon as they can.`
      : `${why} New ones come by themselves.`;
    $("nothing-filtered").hidden = !this.filters.any || trouble !== "";
  }

  #renderSingle(entry) {
    const another = this.details.entry !== entry;
    // a small screen may have been scrolled to what is below; before the content changes, when it costs no layout
    if (another && entry) $("stage").scrollIntoView({ block: "nearest" });
    this.stage.show(entry);
    this.details.show(entry);
    this.#note(DECIDABLE.includes(entry?.state) ? entry : null);
    if (another && entry) say(`${inWords(entry)}.`);
    if (another && entry?.mayHaveSimilar) this.#refresh(entry);
    if (entry?.state === "shown" && this.stage.wantsHeat()) entry.loadHeat(entry.fields.findings[0].category).catch(() => {});
  }

  /** Since when the photo in front has been there. */
  #note(entry) {
    if (entry === this.#there) return;
    const now = performance.now();
    if (this.#late && this.#there) this.#startled = now + STARTLE - GLANCE;
    this.#there = entry;
    this.#since = Math.max(now, this.#startled);
    $("stage").dataset.since = this.#since;
  }

  /** What was decided a moment ago counts among what was seen before. */
  async #refresh(entry) {
    await this.decisions.outbox.tail;
    await entry.loadSimilar();
    if (entry === this.queue.current && !this.gridOn) this.details.show(entry);
  }

  /** Decide about what is selected in the grid, or about the photo in front. */
  decide(decision) {
    if (this.gridOn) this.#decideAll(decision, this.grid.chosen);
    else this.decideCurrent(decision);
  }

  /** Decide about the photo in front; never about one that nobody can have seen. */
  decideCurrent(decision, category = null) {
    const entry = this.queue.current;
    if (!entry || !DECIDABLE.includes(entry.state)) {
      say(entry ? "The photo is not there yet." : "There is no photo.");
      return;
    }
    if (performance.now() - this.#since < GLANCE) {
      say(`Pressed too soon: ${inWords(entry)} is not decided.`);
      return;
    }
    this.decisions.make([entry], decision, category);
  }

  /** Ask which other category the photo in front shows. */
  askOther() {
    this.#asking = this.queue.current;
    if (this.#asking) $("other").showModal();
  }

  /** It shows `category`. While it was asked the photo may have become another moderator's. */
  confirmOther(category) {
    if (this.#asking === this.queue.current) this.decideCurrent("confirm", category);
    else notice("Nothing was confirmed: the photo that you were asked about is not here any more.");
  }

  #decideAll(decision, entries) {
    if (!entries.length) {
      notice("Nothing is selected. Space selects a photo, A all that you have seen.", { seconds: 4 });
      return;
    }
    this.decisions.make(entries, decision, null);
    this.grid.focus();
  }

  /** The queue is another one, by what `text` says was decided or taken back; `late`: not by what was just pressed. */
  #tell(text, late = false) {
    this.#late = late;
    this.render();
    this.#late = false;
    if (!text) return;
    $("last").textContent = text;
    const next = this.queue.current;
    say(next && !this.gridOn ? `${text} Next: ${inWords(next)}.` : text);
  }

  async toggleGrid() {
    this.gridOn = !this.gridOn;
    $("grid-toggle").setAttribute("aria-pressed", String(this.gridOn));
    this.queue.gridded(this.gridOn);
    for (const button of document.querySelectorAll(".actions [data-decides]")) able(button, true);
    this.render();
    if (this.gridOn) {
      await this.queue.take();
      this.grid.focus();
    }
  }

  /** So many photos of the grid are selected. */
  #chosen(count) {
    if (!this.gridOn) return;
    for (const button of document.querySelectorAll(".actions [data-decides]")) able(button, count > 0);
  }

  #open(entry) {
    this.queue.first(entry);
    this.toggleGrid();
  }
}

/** A photo as it is announced. */
function inWords({ fields: { findings: [strongest], verdict }, state }) {
  return `${strongest.name}, ${percent(strongest.probability)}, ${verdict}${state === "gone" ? ", photo not kept" : ""}`;
}
