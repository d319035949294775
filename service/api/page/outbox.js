// Decisions on their way. The page goes on at once; they are sent one after the other, and again until they are kept.
// A decision is its moderator's: with the key of another it is not sent.

import { call, Failure, token } from "./api.js";
import { Journal } from "./journal.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;
const SLOW = 3_000;
const CARRY_ON = { keepalive: true };

export class Outbox {
  #moderator = null;
  #left = 0;
  #why = "";
  #wake = () => {};

  /**
   * `told(waiting, why)`: how many are not kept yet, and what hinders it; `refused(failure, change)`: one that the service
   * does not take; `left(photos)`: so many photos' decisions were not sent, because their moderator left;
   * `recovered(photos)`: a change of a window that is gone was sent, and is kept for so many photos;
   * `unknown(failure)`: the key is not taken any more.
   */
  constructor({ told, refused, left, recovered, unknown }) {
    this.journal = new Journal();
    this.waiting = 0;
    this.told = told;
    this.refused = refused;
    this.left = left;
    this.recovered = recovered;
    this.unknown = unknown;
    this.tail = Promise.resolve();
    addEventListener("beforeunload", (event) => this.waiting && event.preventDefault());
  }

  /** Whose key is in use from now on; null: nobody's, so that what is there waits. */
  belongTo(moderator) {
    this.#moderator = moderator;
    this.#wake();
  }

  /** `change`: { items: [ids], batches: [theirs], decision, category }, of the moderator who is here. */
  put(change) {
    // named, so that it is kept once however often it is sent
    const whole = { ...change, name: token(), at: Date.now(), moderator: this.#moderator };
    return this.#queue(whole, this.journal.add(whole));
  }

  /** Send what windows of this moderator that are gone left behind. */
  async recover() {
    for (const { place, ...change } of await this.journal.left(this.#moderator)) this.#queue({ ...change, recovered: true }, place);
  }

  /** Do `work`, which never fails, after what was put here before; what is put later waits for it. */
  follow(work) {
    this.tail = this.tail.then(work);
    return this.tail;
  }

  #queue(change, place) {
    this.waiting += 1;
    this.told(this.waiting, this.#why);
    this.tail = this.tail.then(() => this.send(change)).finally(async () => {
      await this.journal.remove(await place);
      this.waiting -= 1;
      this.#tell("");
      if (this.waiting || !this.#left) return;
      this.left(this.#left);
      this.#left = 0;
    });
    return this.tail;
  }

  /** When everything is kept. */
  async drained() {
    while (this.waiting) await this.tail;
  }

  #tell(why) {
    this.#why = why;
    this.told(this.waiting, why);
  }

  async send(change) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        if (this.#moderator === null) throw new Failure("unauthenticated", "Nobody is signed in.", 401);
        if (this.#moderator !== change.moderator) {
          this.#left += change.items.length;
          return;
        }
        const failures = await this.#patiently(post(change));
        for (const some of Map.groupBy(failures, ({ error }) => error.code).values()) {
          this.refused(some[0].error, { ...change, items: some.map(({ item }) => item) });
        }
        if (change.recovered) this.recovered(change.items.length - failures.length);
        return;
      } catch (error) {
        if (!error.passing && error.status !== 401) {
          this.refused(error, change);
          return;
        }
        this.#tell(error.message);
        if (error.status === 401 && this.#moderator !== null) this.unknown(error);
        await this.#pause(Math.min(FIRST_WAIT * 2 ** attempt, LONGEST_WAIT));
      }
    }
  }

  /** An answer; tells when it is not there soon. */
  async #patiently(answer) {
    const slow = setTimeout(() => this.#tell(this.#why || "The service takes its time."), SLOW);
    try {
      return await answer;
    } finally {
      clearTimeout(slow);
    }
  }

  /** Until somebody comes, but not longer. */
  #pause(milliseconds) {
    return new Promise((done) => {
      this.#wake = done;
      setTimeout(done, milliseconds);
    });
  }
}

/** Send a change, with the batches of its photos: another store may be at this address by now, and count anew. Returns
 *  the failures of single photos. */
async function post({ items, batches, decision, category, session, name }) {
  const body = { decision, ...(category ? { category } : {}) };
  const options = { ...CARRY_ON, window: session, name };
  if (items.length > 1) return (await call("POST", "/v1/review/decisions", { items, batches, ...body }, options)).failures;
  try {
    await call("POST", `/v1/review/items/${items[0]}/decision`, { batch_id: batches[0], ...body }, options);
    return [];
  } catch (error) {
    if (error.status !== 409 && error.status !== 404) throw error;
    return [{ item: items[0], error: { code: error.code, message: error.message } }];
  }
}
