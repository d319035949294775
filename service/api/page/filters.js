// Which photos are wanted: the form, the chips above the queue, and the filter as the service takes it.

import { $, isolated, make } from "./dom.js";

const NAMES = { category: "Category", source: "Source", listing_id: "Listing", since: "From", until: "To", batch_id: "Batch" };

export class Filters {
  /** `choose(filter)`: the moderator wants another one; `nameOf(category)`: its plain name. */
  constructor(choose, nameOf) {
    this.chosen = {};
    this.choose = choose;
    this.nameOf = nameOf;
  }

  listen() {
    const form = $("filters-form");
    form.addEventListener("submit", (event) => this.submit(event));
    form.addEventListener("reset", () => setTimeout(() => form.requestSubmit()));
  }

  get any() {
    return Object.keys(this.chosen).length > 0;
  }

  open() {
    const form = $("filters-form").elements;
    for (const name of ["category", "source", "listing_id", "since", "until"]) form[name].value = this.chosen[name] ?? "";
    $("filters").showModal();
  }

  submit(event) {
    event.preventDefault();
    const given = Object.fromEntries(new FormData($("filters-form")));
    $("filters").close();
    this.choose(Object.fromEntries(Object.entries(given).filter(([, value]) => value.trim())));
  }

  /** The filter as the service takes it: days, which are the moderator's, become times. */
  asked() {
    const { since, until, ...others } = this.chosen;
    const midnight = (day, later) => {
      const [year, month, date] = day.split("-").map(Number);
      return new Date(year, month - 1, date + later).toISOString();
    };
    return { ...others, ...(since ? { since: midnight(since, 0) } : {}), ...(until ? { until: midnight(until, 1) } : {}) };
  }

  show() {
    const held = $("chips").contains(document.activeElement);
    $("chips").replaceChildren(...Object.entries(this.chosen).map(([name, value]) => this.chip(name, value)));
    // the chip that was pressed is gone
    if (held) ($("chips").querySelector("button") ?? $("main")).focus();
  }

  chip(name, value) {
    const shown = name === "category" ? this.nameOf(value) : name === "batch_id" ? value.slice(0, 8) : value;
    const click = () => {
      const { [name]: _, ...rest } = this.chosen;
      this.choose(rest);
    };
    const label = `Remove the filter ${NAMES[name]} ${value}`;
    return make("li", {}, make("button", { type: "button", "aria-label": label, click }, `${NAMES[name]}: ${isolated(shown)} ×`));
  }
}
