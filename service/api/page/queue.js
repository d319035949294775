// The photos that are this window's: taken ahead of time, fetched and decoded before they are needed.

import { LOOK_AGAIN, call } from "./api.js";
import { Entry } from "./entry.js";
import { GOES_TO } from "./totals.js";

const AHEAD = 16;
const REFILL_BELOW = 10;
const FETCH_AHEAD = 10;
// together less than a browser has open to one service: a decision is not to wait
const AT_ONCE = 3;
const LOOK_UP_AT_ONCE = 2;
const KEEP_BEHIND = 12;
const GRIDDED = 60;
const MOST = 100;
// left for later and kept here; more would leave no room for the next
const LATER = 40;
// what the service takes
const WITHOUT = 500;

export class Queue {
  /**
   * `changed()`: the list, or a photo in it, is not what it was; `failed(failure)`; `lapsed(entries)`: these may have been
   * given to others, because nothing was asked for longer than `holds` milliseconds, as when the machine slept.
   */
  constructor({ changed, failed, lapsed }) {
    this.changed = changed;
    this.failed = failed;
    this.lapsed = lapsed;
    this.holds = Infinity;
    this.filter = {};
    this.items = [];
    this.behind = [];
    // what was decided, and when that was kept, by the page's clock: { at }
    this.done = new Map();
    // decided, and in this queue all the same: for others
    this.passed = new Set();
    // left for later, and given back until nothing else is here
    this.postponed = new Set();
    this.size = AHEAD;
    this.fetchAhead = FETCH_AHEAD;
    this.taking = null;
    this.generation = 0;
    // what the service said last: that no photo is left, or what hindered it
    this.empty = false;
    this.trouble = "";
    this.takenAt = 0;
    this.fetching = this.lookingUp = 0;
  }

  get current() {
    return this.items[0];
  }

  /** How much to take; in the grid the large photos are not needed yet. */
  gridded(on) {
    this.size = on ? GRIDDED : AHEAD;
    this.fetchAhead = on ? 0 : FETCH_AHEAD;
    this.prefetch();
  }

  /** Begin anew with another filter; what was taken is given back. `take`: whether to take the next now. */
  async restart(filter, take = true) {
    this.generation += 1;
    this.filter = filter;
    this.items = [];
    this.behind = [];
    this.done.clear();
    this.passed.clear();
    this.postponed.clear();
    this.empty = false;
    this.trouble = "";
    this.taking = null;
    this.changed();
    const { generation } = this;
    await this.release();
    // what is taken now would be given back by a later beginning
    if (take && generation === this.generation) await this.take();
  }

  async release() {
    await call("DELETE", "/v1/review/claims", undefined, { keepalive: true }).catch(() => {});
  }

  /** Take what is missing, and prolong what is there. */
  take() {
    this.taking ??= this.claim().finally(() => {
      this.taking = null;
    });
    return this.taking;
  }

  async claim() {
    const generation = this.generation;
    const [asked, limit] = [performance.now(), this.#wanted];
    // not before the service has kept what was decided: it would be given back undecided
    const passed = [...this.passed].filter((id) => this.done.get(id)?.at <= asked);
    const without = [...passed, ...this.postponed].slice(-WITHOUT);
    try {
      const { items } = await call("POST", "/v1/review/claims", { ...this.filter, limit, without });
      if (generation !== this.generation) return;
      const lapsed = this.items.length && this.age > this.holds;
      this.takenAt = Date.now();
      // another store may be there by now, and count anew
      const batches = new Map(items.map(({ item, batch_id: batch }) => [item, batch]));
      this.items = this.items.filter(({ id, fields }) => (batches.get(id) ?? fields.batch_id) === fields.batch_id);
      const here = new Set(this.items.map((entry) => entry.id));
      // what comes after its decision was kept was taken back elsewhere
      const fresh = items.filter(({ item }) => !here.has(item) && !(this.done.get(item)?.at > asked));
      for (const { item } of fresh) this.done.delete(item);
      // before what was left for later, but never in the place of what is looked at
      const at = this.items.findIndex(({ later }, place) => later && place > 0);
      this.items.splice(at < 0 ? this.items.length : at, 0, ...fresh.map((fields) => new Entry(fields)));
      this.empty = !this.items.length && !this.postponed.size;
      this.trouble = "";
      this.prefetch();
      this.changed();
      const over = this.postponed.size > 0 && this.items.every(({ later }) => later);
      if (over) this.postponed.clear();
      // more is wanted since it was asked, as when the grid was opened meanwhile
      const more = items.length === limit && limit < this.#wanted;
      if (over || more) setTimeout(() => generation === this.generation && this.take());
      if (lapsed) this.lapsed(this.items.filter((entry) => !batches.has(entry.id)));
    } catch (error) {
      if (generation !== this.generation) return;
      this.trouble = error.message;
      this.failed(error);
      this.changed();
    }
  }

  /** How long ago photos were taken, milliseconds; long, too, where the clock was put back since. */
  get age() {
    return Math.abs(Date.now() - this.takenAt);
  }

  /** Look anew which photos are this window's. */
  doubt() {
    this.takenAt = -Infinity;
    this.take();
  }

  /** Take off what of these is another's by now, or not there any more; returns how many. */
  async lose(entries) {
    const { generation } = this;
    const gone = await Promise.all(entries.map(async (entry) => {
      const now = await call("GET", `/v1/review/items/${entry.id}`).catch(({ status }) => ({ yours: status !== 404 }));
      return !now.yours && (now.claimed_until || now.state !== entry.fields.state) ? entry : null;
    }));
    if (generation !== this.generation) return 0;
    const before = this.items.length;
    this.items = this.items.filter((entry) => !gone.includes(entry));
    return before - this.items.length;
  }

  /** The photos are decided: out of the list, but kept for an undoing. Returns what to say once that is kept. */
  remove(ids, decision) {
    const gone = new Set(ids);
    const entries = this.items.filter((entry) => gone.has(entry.id));
    this.items = this.items.filter((entry) => !gone.has(entry.id));
    const made = { at: Infinity };
    for (const id of ids) this.done.set(id, made);
    if (GOES_TO[decision] === this.filter.state) for (const id of ids) this.passed.add(id);
    this.behind.push(...entries);
    const most = Math.max(KEEP_BEHIND, ids.length);
    for (const entry of this.behind.splice(0, Math.max(0, this.behind.length - most))) entry.forget();
    if (this.size === AHEAD) this.topUp();
    this.prefetch();
    return () => {
      made.at = performance.now();
      this.topUp();
    };
  }

  /** These wait for a decision again. */
  undecided(ids) {
    for (const id of ids) {
      this.done.delete(id);
      this.passed.delete(id);
    }
  }

  /** Take more when there is little left; in the grid whatever is missing. */
  topUp() {
    const missing = this.#wanted - this.items.length;
    if (missing > (this.size === AHEAD ? AHEAD - REFILL_BELOW : 0)) this.take();
  }

  /** How many are to be here: what was left for later must not keep the next from coming. */
  get #wanted() {
    return Math.min(MOST, this.size + this.items.filter(({ later }) => later).length);
  }

  /** Decisions about these were taken back: they come first again. */
  bringBack(entries) {
    const back = new Set(entries.map((entry) => entry.id));
    this.undecided(back);
    for (const entry of entries) entry.later = false;
    this.behind = this.behind.filter((entry) => !back.has(entry.id));
    this.items = [...entries, ...this.items.filter((entry) => !back.has(entry.id))];
    this.prefetch();
  }

  /** Put the first photo last. */
  skip() {
    if (!this.items.length) return;
    const entry = this.items.shift();
    entry.later = true;
    // fetched again when its turn comes
    if (this.items.length > FETCH_AHEAD) entry.forget();
    this.items.push(entry);
    this.#postpone();
    this.topUp();
    this.prefetch();
  }

  /** Of many that were left for later, somebody else may have the first meanwhile. */
  #postpone() {
    const first = this.items.findIndex(({ later }) => later);
    if (first === 0 || this.items.length - first <= LATER) return;
    const [entry] = this.items.splice(first, 1);
    this.postponed.add(entry.id);
  }

  /** Take this photo first. */
  first(entry) {
    entry.later = false;
    this.items = [entry, ...this.items.filter((one) => one !== entry)];
    this.prefetch();
  }

  /** Fetch the photos that come next, few at once, the nearest first. */
  prefetch() {
    this.lookUp();
    const next = this.items.slice(0, this.fetchAhead).find((entry) => entry.state === "new");
    if (!next || this.fetching >= AT_ONCE) return;
    this.fetching += 1;
    next.load().finally(() => {
      this.fetching -= 1;
      if (next.state === "late") setTimeout(() => this.reload(next), LOOK_AGAIN);
      this.changed(next);
      this.prefetch();
    });
    this.prefetch();
  }

  /** Look up what is like the photos that come next; none of them waits for it. */
  lookUp() {
    const next = this.items.slice(0, this.fetchAhead).find(({ similar }) => similar === undefined);
    if (!next || this.lookingUp >= LOOK_UP_AT_ONCE) return;
    this.lookingUp += 1;
    next.loadSimilar().then(() => {
      this.lookingUp -= 1;
      this.changed(next);
      this.lookUp();
    });
    this.lookUp();
  }

  /** Fetch a photo again that did not come. */
  reload(entry) {
    if (entry.state !== "late" || !this.items.includes(entry)) return;
    entry.state = "new";
    this.prefetch();
  }
}
