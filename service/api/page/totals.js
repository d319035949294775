// How many photos wait in each state, and how many this moderator decided today.

import { $, count } from "./dom.js";

const STATES = ["open", "second", "unsure", "escalated"];
/** Where a decision leaves a photo that is not decided by it. */
export const GOES_TO = { unsure: "unsure", escalate: "escalated" };

// the service's days are UTC
const today = () => new Date().toISOString().slice(0, 10);

export class Totals {
  constructor() {
    this.today = this.tallied = 0;
    this.states = {};
    this.day = today();
  }

  /** How many this moderator decided today, as the service counted. */
  begin(decided) {
    this.today = decided;
    this.day = today();
  }

  /** More was decided than is counted here. */
  recount() {
    this.day = "";
  }

  /** Whether to ask anew: the day that was counted is over, or more was decided. */
  get over() {
    return this.day !== today();
  }

  /** What the service counted. */
  take(states) {
    Object.assign(this.states, states);
    this.show();
  }

  /** `change` more photos of `state` are decided, fewer where it is negative. */
  tally(state, change, decision) {
    this.today += change;
    this.tallied += 1;
    const to = GOES_TO[decision];
    if (to !== state) {
      for (const [name, more] of [[state, -change], [to, change]]) {
        if (this.states[name] !== undefined) this.states[name] = Math.max(0, this.states[name] + more);
      }
    }
    this.show();
  }

  show() {
    for (const name of STATES) $(`count-${name}`).textContent = this.states[name] === undefined ? "" : count(this.states[name]);
    $("today").textContent = count(Math.max(0, this.today));
  }
}
