// How a moderator wants the page: kept by the service, except for the colours, which are this browser's.

import { call } from "./api.js";
import { $, notice } from "./dom.js";
import { choose, theme } from "./theme.js";

export class Settings {
  /** `apply(chosen)`: { blur, grey, shortcuts, break_minutes }. */
  constructor(chosen, apply) {
    this.apply = apply;
    this.take(chosen);
    $("settings-form").addEventListener("change", () => this.change());
    $("settings-form").addEventListener("submit", (event) => event.preventDefault());
  }

  /** What the service has kept. */
  take(chosen) {
    this.chosen = this.kept = chosen;
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

  async change() {
    const form = $("settings-form").elements;
    choose(form.theme.value);
    // what is no number of minutes is told, and does not hold up the rest
    const minutes = form.break_minutes.reportValidity() ? form.break_minutes.valueAsNumber : this.chosen.break_minutes;
    const now = { blur: form.blur.checked, grey: form.grey.checked, shortcuts: form.shortcuts.checked, break_minutes: minutes };
    // the rest may be another by now, by another window
    const changes = Object.fromEntries(Object.entries(now).filter(([name, value]) => value !== this.kept[name]));
    this.chosen = now;
    this.apply(now);
    try {
      this.kept = await call("PUT", "/v1/review/me", changes);
      // unless more was changed meanwhile
      if (this.chosen !== now) return;
      this.take(this.kept);
      this.apply(this.kept);
      this.fill();
    } catch (error) {
      notice(`The settings hold until you leave, but were not kept: ${error.message}`, { kind: "error" });
    }
  }
}
