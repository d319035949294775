// Many photos at once: select what goes, decide about all of it in one press.

import { LOOK_AGAIN, pause } from "./api.js";
import { $, drawSquare, make, percent, say } from "./dom.js";
import { Seen } from "./seen.js";
import { walk } from "./walk.js";

const SIDE = 320;
const TILES = 48;
const AT_ONCE = 4;

export class Grid {
  /** `queue`: where the photos are from; `changed()`: the selection did. */
  constructor(queue, changed, open) {
    this.queue = queue;
    this.changed = changed;
    this.open = open;
    this.selected = new Set();
    this.tiles = new Map();
    this.loading = 0;
    this.seen = new Seen(document.querySelector(".actions"), () => this.count());
    $("tiles").addEventListener("keydown", (event) => walk(event, $("tiles")));
  }

  get shown() {
    return this.queue.items.slice(0, TILES);
  }

  /** Selected photos, in order; none that was not seen. */
  get chosen() {
    return this.shown.filter((entry) => this.selected.has(entry.id));
  }

  render() {
    const { shown } = this;
    const there = new Set(shown);
    for (const [entry, tile] of this.tiles) {
      // what was given back meanwhile and came again is veiled again
      if (there.has(entry)) continue;
      tile.parentElement.remove();
      this.seen.forget(tile);
      this.tiles.delete(entry);
      this.selected.delete(entry.id);
    }
    shown.forEach((entry, place) => {
      const row = (this.tiles.get(entry) ?? this.make(entry)).parentElement;
      if ($("tiles").children[place] !== row) $("tiles").insertBefore(row, $("tiles").children[place] ?? null);
    });
    this.fetch();
    this.count();
  }

  make(entry) {
    const { fields: { findings: [strongest], file, verdict } } = entry;
    const canvas = make("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" });
    const tile = make("button", { type: "button", class: "tile waiting", "aria-pressed": "false", "data-item": entry.id,
      "aria-label": `${file}: ${strongest.name}, ${percent(strongest.probability)}, ${verdict}`,
      click: () => this.toggle(entry), dblclick: () => this.open(entry) },
    canvas, make("span", { class: "mark", "aria-hidden": "true" }, "✓"),
    make("span", { class: "caption" }, make("span", {}, strongest.name), make("span", {}, percent(strongest.probability))));
    if (!entry.fields.photo) tile.replaceChild(make("span", { class: "absent" }, "photo not kept"), canvas);
    this.tiles.set(entry, tile);
    make("li", {}, tile);
    return tile;
  }

  /** Fetch the photos of the tiles, a few at once, in order. */
  fetch() {
    const next = this.shown.find((entry) => !entry.thumbState && this.tiles.has(entry) && this.undrawn(entry));
    if (!next || this.loading >= AT_ONCE) return;
    this.loading += 1;
    next.thumbState = "loading";
    next.loadThumb().then((bitmap) => {
      const tile = this.tiles.get(next);
      if (!tile) return;
      if (bitmap) drawSquare(tile.querySelector("canvas"), bitmap, SIDE);
      tile.classList.remove("waiting");
      this.seen.watch(tile);
    }, async (error) => {
      // what may pass is tried again
      if (error.passing) return pause(LOOK_AGAIN);
      const words = error.code === "photo_unavailable" ? "photo not kept" : "cannot be shown";
      this.tiles.get(next)?.querySelector("canvas")?.replaceWith(make("span", { class: "absent" }, words));
    }).finally(() => {
      next.thumbState = "";
      this.loading -= 1;
      this.fetch();
    });
    this.fetch();
  }

  undrawn(entry) {
    const tile = this.tiles.get(entry);
    return tile.classList.contains("waiting") && Boolean(tile.querySelector("canvas"));
  }

  toggle(entry) {
    if (this.undrawn(entry)) {
      say("This photo is not loaded yet.");
      return;
    }
    if (!this.selected.delete(entry.id)) this.selected.add(entry.id);
    this.count();
  }

  toggleFocused() {
    const id = Number(document.activeElement?.dataset?.item);
    const entry = this.shown.find((one) => one.id === id);
    if (entry) this.toggle(entry);
  }

  openFocused() {
    const id = Number(document.activeElement?.dataset?.item);
    const entry = this.shown.find((one) => one.id === id);
    if (entry) this.open(entry);
  }

  /** Select all photos that have been on the screen, or none. */
  toggleAll() {
    const seen = this.shown.filter((entry) => this.seen.has(this.tiles.get(entry)));
    const all = seen.every((entry) => this.selected.has(entry.id));
    this.selected = new Set(all ? [] : [...this.selected, ...seen.map((entry) => entry.id)]);
    this.count();
    say(`${$("grid-count").textContent}.`);
  }

  /** Whether all that are there are shown clearly; one that comes later is veiled until it is asked for. */
  get revealed() {
    return this.tiles.size > 0 && [...this.tiles.values()].every((tile) => tile.classList.contains("revealed"));
  }

  toggleReveal() {
    const reveal = !this.revealed;
    for (const tile of this.tiles.values()) tile.classList.toggle("revealed", reveal);
    this.count();
    say(reveal ? "The photos are shown clearly." : "The photos are veiled.");
  }

  count() {
    for (const [{ id }, tile] of this.tiles) tile.setAttribute("aria-pressed", String(this.selected.has(id)));
    $("reveal-all").setAttribute("aria-pressed", String(this.revealed));
    const { shown, chosen: { length: chosen } } = this;
    const unseen = shown.filter((entry) => !this.selected.has(entry.id) && !this.seen.has(this.tiles.get(entry))).length;
    $("grid-count").textContent = chosen ? `${chosen} of ${shown.length} selected${unseen ? `, ${unseen} not seen yet` : ""}`
      : `${shown.length} photos, none selected`;
    this.changed(chosen);
  }

  focus() {
    $("tiles").querySelector("button")?.focus();
  }
}
