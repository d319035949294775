// Decisions on their way. The page goes on at once; they are sent one after the other, and again until they are kept.

import { call, pause } from "./api.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;
const CARRY_ON = { keepalive: true };

export class Outbox {
  /** `told(waiting, why)`: how many are not kept yet, and what hinders it; `refused(failure, change)`: one that the service does not take. */
  constructor(told, refused) {
    this.waiting = 0;
    this.told = told;
    this.refused = refused;
    this.tail = Promise.resolve();
    addEventListener("beforeunload", (event) => this.waiting && event.preventDefault());
  }

  /** `change`: { items: [ids], decision, category }. */
  put(change) {
    this.waiting += 1;
    this.told(this.waiting);
    this.tail = this.tail.then(() => this.send(change)).finally(() => {
      this.waiting -= 1;
      this.told(this.waiting);
    });
    return this.tail;
  }

  async send(change) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const failures = await post(change);
        const known = attempt > 0 ? ["already_decided", "nothing_to_undo"] : [];
        for (const { item, error } of failures) {
          // after a try whose answer was lost, this is what it looks like that the try was kept
          if (!known.includes(error.code)) this.refused(error, { ...change, items: [item] });
        }
        return;
      } catch (error) {
        if (!error.passing && error.status !== 401) {
          this.refused(error, change);
          return;
        }
        this.told(this.waiting, error.message);
        await pause(Math.min(FIRST_WAIT * 2 ** attempt, LONGEST_WAIT));
      }
    }
  }
}

/** Send a change; returns the failures of single photos. */
async function post({ items, decision, category }) {
  const body = { decision, ...(category ? { category } : {}) };
  if (items.length > 1) return (await call("POST", "/v1/review/decisions", { items, ...body }, CARRY_ON)).failures;
  try {
    await call("POST", `/v1/review/items/${items[0]}/decision`, body, CARRY_ON);
    return [];
  } catch (error) {
    if (error.status !== 409 && error.status !== 404) throw error;
    return [{ item: items[0], error: { code: error.code, message: error.message } }];
  }
}
