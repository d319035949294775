// How a moderator wants the page: kept by the service, except for the colours, which are this browser's.

import { call } from "./api.js";
import { $, notice } from "./dom.js";
import { choose, theme } from "./theme.js";

export class Settings {
  /** `apply(chosen)`: { blur, grey, shortcuts, break_minutes }. */
  constructor(chosen, apply) {
    this.chosen = chosen;
    this.apply = apply;
    $("settings-form").addEventListener("change", () => this.change());
    $("settings-form").addEventListener("submit", (event) => event.preventDefault());
  }

  open() {
    const form = $("settings-form").elements;
    for (const name of ["blur", "grey", "shortcuts"]) form[name].checked = this.chosen[name];
    form.break_minutes.value = this.chosen.break_minutes;
    form.theme.value = theme();
    $("settings").showModal();
  }

  async change() {
    const form = $("settings-form").elements;
    choose(form.theme.value);
    // what is no number of minutes is told, and does not hold up the rest
    const minutes = form.break_minutes.reportValidity() ? form.break_minutes.valueAsNumber : this.chosen.break_minutes;
    this.chosen = { blur: form.blur.checked, grey: form.grey.checked, shortcuts: form.shortcuts.checked, break_minutes: minutes };
    this.apply(this.chosen);
    try {
      await call("PUT", "/v1/review/me", this.chosen);
    } catch (error) {
      notice(`The settings hold until you leave, but were not kept: ${error.message}`, { kind: "error" });
    }
  }
}
