// Reminds of a break after so many minutes at work. A pause of five minutes counts as one.

const STORED = "faunalens-work";
const PAUSE = 5 * 60_000;
const AGAIN = 10 * 60_000;
const AWAY = 30 * 60_000;

export class Breaks {
  /** `remind(minutes)`: it is time. */
  constructor(remind, now = () => Date.now()) {
    this.remind = remind;
    this.now = now;
    this.minutes = 0;
    this.later = 0;
    this.seen = now();
    const kept = JSON.parse(sessionStorage.getItem(STORED) ?? "null");
    this.since = kept?.since ?? null;
    this.last = kept?.last ?? null;
  }

  /** The moderator is here, whatever they do. */
  here() {
    this.seen = this.now();
  }

  /** Whether nobody has been here for long. */
  get away() {
    const moment = this.now();
    // the clock may have been put back
    this.seen = Math.min(this.seen, moment);
    return moment - this.seen > AWAY;
  }

  /** The moderator did something. */
  active() {
    const moment = this.now();
    // a long way back, too, where the clock was put back
    if (this.last === null || Math.abs(moment - this.last) > PAUSE) [this.since, this.later] = [moment, 0];
    this.last = moment;
    sessionStorage.setItem(STORED, JSON.stringify({ since: this.since, last: this.last }));
    const worked = moment - this.since;
    if (this.minutes && worked >= this.minutes * 60_000 && moment >= this.later) {
      this.later = moment + AGAIN;
      this.remind(Math.round(worked / 60_000));
    }
  }

  /** A break begins now. */
  rest() {
    this.since = this.last = null;
    this.later = 0;
    sessionStorage.removeItem(STORED);
  }
}
