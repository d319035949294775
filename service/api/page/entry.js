// A photo with what was fetched of it: drawn, small, under its heat map, and photos like it.

import { address, call, picture } from "./api.js";
import { draw, make } from "./dom.js";

/**
 * A photo of the queue. `state`: new, loading, shown (its canvas is drawn), gone (not kept any more), failed, or late: it
 * did not come, and is fetched again. `similar`: photos like it; undefined before they are looked up, null meanwhile, false
 * where they could not be.
 */
export class Entry {
  constructor(fields) {
    this.fields = fields;
    this.id = fields.item;
    this.later = false;
    this.forget();
  }

  forget() {
    this.thumb?.close();
    this.canvas = this.thumb = null;
    this.similar = undefined;
    this.asked = this.answered = 0;
    this.heat = new Map();
    this.state = this.fields.photo ? "new" : "gone";
    this.reason = "";
  }

  async load() {
    this.state = "loading";
    try {
      const bitmap = await picture(`/v1/review/items/${this.id}/photo`);
      // drawn ahead, so that a key press only puts it in its place
      this.canvas = make("canvas", { id: "photo", class: "photo", role: "img", "aria-label": `Photo ${this.fields.file}` });
      draw(this.canvas, bitmap);
      bitmap.close();
      this.state = "shown";
    } catch (error) {
      // who is asked for a key gets the photo with it
      const passing = error.passing || error.status === 401;
      this.state = error.code === "photo_unavailable" ? "gone" : passing ? "late" : "failed";
      this.reason = error.message;
    }
  }

  /** Photos like it, with what is decided about them by now; what is known already stays where they cannot be told. */
  async loadSimilar() {
    const turn = (this.asked += 1);
    this.similar ??= null;
    const found = await call("GET", `/v1/review/items/${this.id}/similar`).then(({ items }) => items, () => this.similar || false);
    // what was asked for later knows more
    if (turn < this.answered) return;
    this.answered = turn;
    this.similar = found;
  }

  /** Whether photos like it may be there. */
  get mayHaveSimilar() {
    return this.asked > 0 && this.similar?.length !== 0;
  }

  /** The small photo, of the grid. */
  async loadThumb() {
    if (this.thumb || !this.fields.photo) return this.thumb;
    this.thumb = await picture(`/v1/review/items/${this.id}/photo?size=small`);
    return this.thumb;
  }

  /** The photo under the heat map of a category. */
  async loadHeat(category) {
    if (!this.heat.has(category)) {
      const coming = picture(address(`/v1/review/items/${this.id}/heatmap`, { category }));
      this.heat.set(category, coming);
      // one that failed is asked for again the next time
      coming.catch(() => this.heat.delete(category));
    }
    return this.heat.get(category);
  }
}
