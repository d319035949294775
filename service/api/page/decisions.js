// The decisions made on this page: counted and sent on at once, and taken back one after the other.

import { call, token } from "./api.js";
import { isolated, moment, notice } from "./dom.js";
import { Outbox } from "./outbox.js";
import { Entry } from "./entry.js";

const REMEMBERED = 200;
// the service knows for a day by which name a decision was sent
const KNOWN = 86_400_000;
const PAST = { confirm: "Confirmed", reject: "Rejected", unsure: "Left unsure", escalate: "Escalated" };

export class Decisions {
  #made = [];
  // names the undoing whose answer was lost, so that asking again takes back no further decision
  #unanswered = null;

  /**
   * `waiting(number)`, `tally(change, decision)` and `changed(text, late)` are told what happened; the last shows the queue
   * anew, `late`: when nobody expects it any more. `recount()`: only the service knows how many there are by now.
   * `failed(failure)`: the key is not taken any more.
   */
  constructor(queue, { waiting, tally, recount, changed, failed }) {
    this.queue = queue;
    this.tally = tally;
    this.recount = recount;
    this.changed = changed;
    this.outbox = new Outbox({ told: waiting, refused: (error, sent) => this.#refused(error, sent), left, unknown: failed,
      recovered: (photos) => this.#recovered(photos) });
  }

  make(entries, decision, category) {
    const items = entries.map((entry) => entry.id);
    this.#made.push({ entries, decision });
    if (this.#made.length > REMEMBERED) this.#made.shift();
    const kept = this.queue.remove(items, decision);
    this.outbox.put({ items, batches: batches(entries), decision, category }).then(kept);
    this.tally(items.length, decision);
    this.changed(`${PAST[decision]}: ${named(entries)}.`);
  }

  async undo() {
    const last = this.#made.pop();
    if (!last) {
      await this.outbox.follow(() => this.#undoEarlier());
      return;
    }
    const items = last.entries.map((entry) => entry.id);
    this.outbox.put({ items, batches: batches(last.entries), decision: "undo", category: null });
    this.queue.bringBack(last.entries);
    this.tally(-last.entries.length, last.decision);
    this.changed(`Taken back: ${named(last.entries)}.`);
  }

  /** What is in front changes altogether: undo goes by what the service has kept. */
  forget() {
    this.#made.length = 0;
    this.#unanswered = null;
  }

  /** Take back what was decided before this page was opened. */
  async #undoEarlier() {
    this.#unanswered ??= token();
    try {
      const { item } = await call("POST", "/v1/review/undo", {}, { name: this.#unanswered });
      this.#unanswered = null;
      const entries = [new Entry(item)];
      this.queue.bringBack(entries);
      this.tally(-1);
      this.changed(`Taken back: ${named(entries)}.`, true);
    } catch (error) {
      if (!error.passing) this.#unanswered = null;
      notice(error.code === "nothing_to_undo" ? "There is nothing left to undo." : error.message, { seconds: 4 });
    }
  }

  /** Some of it may have been counted before its answer was lost. */
  #recovered(photos) {
    this.recount();
    if (photos) notice("What was decided before this page was closed is saved now.");
  }

  /** A decision that the service did not take. */
  #refused(error, { items, decision, recovered, at }) {
    const undoing = decision === "undo";
    const known = [...this.queue.items, ...this.#made.flatMap(({ entries }) => entries)];
    const which = known.filter((entry) => items.includes(entry.id));
    if (undoing) this.queue.items = this.queue.items.filter((entry) => !items.includes(entry.id));
    // it may still wait for a decision, and is not to be held unseen
    this.queue.undecided(items);
    for (const group of this.#made) group.entries = group.entries.filter((entry) => !items.includes(entry.id));
    this.#made = this.#made.filter((group) => group.entries.length);
    // those of before were not counted yet
    if (!recovered) this.tally(undoing ? items.length : -items.length, decision);
    const kept = Date.now() - at > KNOWN ? `Perhaps kept on ${moment(at)}` : "Not kept";
    notice(`${kept}${which.length ? ` (${named(which)})` : ""}: ${error.message}`, { kind: "error", seconds: recovered ? 0 : 8 });
    this.changed("", true);
    // what else is in front may not be there any more either
    if (error.code === "unknown_item" && !recovered) this.queue.doubt();
  }
}

const batches = (entries) => entries.map((entry) => entry.fields.batch_id);

/** Whoever decided is not here any more. */
function left(photos) {
  const whose = `${photos} ${photos === 1 ? "decision" : "decisions"} of the moderator who was here before`;
  notice(`Not kept: ${whose}. The photos still wait.`, { kind: "error", seconds: 0 });
}

function named(entries) {
  return entries.length === 1 ? isolated(entries[0].fields.file) : `${entries.length} photos`;
}
