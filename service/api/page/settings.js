// How a moderator wants the page: kept by the service, except for the colours, which are this browser's.

import { call } from "./api.js";
import { $, notice } from "./dom.js";
import { choose, theme } from "./theme.js";

export class Settings {
  // the other windows of this browser
  #others = new BroadcastChannel("faunalens-settings");

  /** `me`: as `/v1/review/me` says; `apply(chosen)`: { blur, grey, shortcuts, break_minutes }. */
  constructor(me, apply) {
    this.apply = apply;
    this.sending = Promise.resolve();
    this.belongTo(me);
    this.#others.addEventListener("message", ({ data }) => this.#hear(data));
    $("settings-form").addEventListener("change", () => this.change());
    $("settings-form").addEventListener("submit", (event) => event.preventDefault());
  }

  /** Another moderator may be here from now on. */
  belongTo({ moderator, preferences }) {
    this.moderator = moderator;
    this.#take(preferences);
  }

  /** What the service has kept of the moderator who is here. */
  #take(chosen) {
    this.chosen = chosen;
    this.unsent = {};
  }

  /** What the same moderator changed in another window holds here, too. */
  #hear({ moderator, changes }) {
    if (moderator !== this.moderator) return;
    this.chosen = { ...this.chosen, ...changes };
    for (const name in changes) delete this.unsent[name];
    this.apply(this.chosen);
    this.fill();
  }

  open() {
    this.fill();
    $("settings").showModal();
  }

  fill() {
    const form = $("settings-form").elements;
    for (const name of ["blur", "grey", "shortcuts"]) form[name].checked = this.chosen[name];
    // unless it is being typed
    if (document.activeElement !== form.break_minutes) form.break_minutes.value = this.chosen.break_minutes;
    form.theme.value = theme();
  }

  change() {
    const form = $("settings-form").elements;
    choose(form.theme.value);
    // what is no number of minutes is told, and does not hold up the rest
    const minutes = form.break_minutes.reportValidity() ? form.break_minutes.valueAsNumber : this.chosen.break_minutes;
    const now = { blur: form.blur.checked, grey: form.grey.checked, shortcuts: form.shortcuts.checked, break_minutes: minutes };
    const changes = Object.fromEntries(Object.entries(now).filter(([name, value]) => value !== this.chosen[name]));
    Object.assign(this.unsent, changes);
    this.#others.postMessage({ moderator: this.moderator, changes });
    this.chosen = now;
    this.apply(now);
    // one after the other: blur that is turned off and on again at once must not end as off
    this.sending = this.sending.then(() => this.send());
  }

  /** Only what was changed here: the rest may be another by now, by another window. */
  async send() {
    const { chosen, unsent: changes } = this;
    if (!Object.keys(changes).length) return;
    const more = (this.unsent = {});
    try {
      const kept = await call("PUT", "/v1/review/me", changes);
      // unless more was changed meanwhile, or another moderator came
      if (this.chosen !== chosen) return;
      this.#take(kept);
      this.apply(kept);
      this.fill();
    } catch (error) {
      if (this.unsent === more) this.unsent = { ...changes, ...more };
      notice(`The settings hold until you leave, but were not kept: ${error.message}`, { kind: "error" });
    }
  }
}
