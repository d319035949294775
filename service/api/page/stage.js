// The large photo with its veil, boxes and heat map.

import { $, draw, make, moment, say } from "./dom.js";
import { draggable } from "./drag.js";

const SVG = "http://www.w3.org/2000/svg";
const ZOOM = 2.5;
const STEP = 12;
const HEAT_MEMORY = 3;

export class Stage {
  constructor(reveal) {
    this.entry = null;
    this.revealed = false;
    this.boxes = true;
    this.heat = null;
    this.sinceHeat = Infinity;
    this.zoomed = false;
    this.centre = [50, 50];
    draggable($("frame"), () => this.zoomed, (...way) => this.drag(...way));
    $("frame").addEventListener("click", reveal);
  }

  /** Show a photo as the moderator wants it: veiled, without heat. */
  show(entry) {
    if (this.entry !== entry) {
      this.revealed = this.zoomed = false;
      this.heat = null;
      this.sinceHeat += 1;
    }
    this.entry = entry;
    const shown = entry?.state === "shown";
    const stage = $("stage");
    if (shown && $("photo") !== entry.canvas) $("photo").replaceWith(entry.canvas);
    $("frame").hidden = !shown;
    $("absent").hidden = shown || !entry;
    if (shown) this.fit(entry);
    else if (entry) $("absent").replaceChildren(...absence(entry));
    this.veil();
    stage.dataset.item = entry?.id ?? "";
    stage.dataset.shown = entry?.state ?? "none";
  }

  fit({ canvas, fields }) {
    $("frame").style.setProperty("--ratio", canvas.width / canvas.height);
    $("frame").style.setProperty("--natural", `${canvas.width * 2}px`);
    const { width, height } = fields.image;
    $("boxes").setAttribute("viewBox", `0 0 ${width} ${height}`);
    $("boxes").replaceChildren(...fields.findings.map((finding, index) => outlined(finding, index, Math.max(width, height))));
    const { left, top, right, bottom } = fields.findings[0].box;
    this.centre = [(50 * (left + right)) / width, (50 * (top + bottom)) / height];
  }

  /** Draw the heat map of `category`, or the photo again. */
  async toggleHeat(category) {
    const { entry } = this;
    if (entry?.state !== "shown") return;
    this.heat = this.heat === category ? null : category;
    this.sinceHeat = 0;
    this.veil();
    if (!this.heat) {
      say("The heat map is hidden.");
      return;
    }
    const asked = () => this.entry === entry && this.heat === category;
    try {
      const overlay = await entry.loadHeat(category);
      if (!asked()) return;
      draw($("overlay"), overlay);
      $("overlay").hidden = false;
      say("The heat map is shown.");
    } catch (error) {
      if (!asked()) return;
      this.heat = null;
      throw error;
    } finally {
      this.veil();
    }
  }

  /** Whether the heat map was asked for lately, so that it is worth fetching ahead. */
  wantsHeat() {
    return this.sinceHeat <= HEAT_MEMORY;
  }

  toggleReveal() {
    // nobody can have asked for a photo that was not there
    if (this.entry && this.entry.state !== "shown") {
      say("The photo is not there.");
      return;
    }
    this.revealed = !this.revealed;
    this.veil();
    say(this.revealed ? "The photo is shown clearly." : "The photo is veiled.");
  }

  toggleBoxes() {
    this.boxes = !this.boxes;
    this.veil();
    say(this.boxes ? "Boxes are shown." : "Boxes are hidden.");
  }

  toggleZoom() {
    this.zoomed = !this.zoomed;
    this.veil();
    say(this.zoomed ? "Zoomed in." : "Zoomed out.");
  }

  /** Move the part that is seen when zoomed. */
  pan(right, down) {
    if (!this.zoomed) return false;
    this.move(right * STEP, down * STEP);
    return true;
  }

  /** The same, with what was dragged so many pixels. */
  drag(right, down) {
    const { clientWidth: width, clientHeight: height } = $("frame");
    const part = 100 / (1 - ZOOM);
    this.move((right / width) * part, (down / height) * part);
  }

  move(right, down) {
    const within = (value) => Math.min(100, Math.max(0, value));
    this.centre = [within(this.centre[0] + right), within(this.centre[1] + down)];
    this.veil();
  }

  prefer({ blur, grey }) {
    this.blur = blur;
    this.grey = grey;
    this.veil();
  }

  veil() {
    const { classList } = $("frame");
    const veiled = !this.revealed && (this.blur || this.grey);
    classList.toggle("blurred", this.blur !== false && !this.revealed);
    classList.toggle("greyed", this.grey !== false && !this.revealed);
    classList.toggle("boxed", this.boxes);
    classList.toggle("zoomed", this.zoomed);
    $("frame").style.setProperty("--zoom", this.zoomed ? ZOOM : 1);
    $("frame").style.setProperty("--centre", `${this.centre[0]}% ${this.centre[1]}%`);
    $("veil-hint").hidden = !veiled;
    if (!this.heat) $("overlay").hidden = true;
    $("heat-hint").hidden = $("overlay").hidden;
    $("stage").classList.toggle("busy", Boolean(this.heat) && $("overlay").hidden);
    for (const [id, on] of [["reveal", this.revealed], ["heat", this.heat], ["boxes-toggle", this.boxes], ["zoom", this.zoomed]]) {
      $(id).setAttribute("aria-pressed", String(Boolean(on)));
    }
  }
}

/** The box of a finding, with the key that confirms it. */
function outlined({ box: { left, top, right, bottom } }, index, side) {
  const group = document.createElementNS(SVG, "g");
  // small enough to leave the piece in sight
  const size = Math.min(side / 22, Math.max(side / 50, Math.min(right - left, bottom - top) / 5));
  const part = (tag, properties, text) => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
    if (text) element.textContent = text;
    group.append(element);
  };
  group.setAttribute("class", `box box-${index % 4}${index ? " lesser" : ""}`);
  part("rect", { class: "halo", x: left, y: top, width: right - left, height: bottom - top, rx: size / 6 });
  part("rect", { class: "line", x: left, y: top, width: right - left, height: bottom - top, rx: size / 6 });
  const x = Math.max(left, 0) + size * 1.3 * index;
  part("rect", { class: "tag", x, y: top, width: size * 1.2, height: size * 1.2 });
  part("text", { x: x + size * 0.6, y: top + size * 0.92, "font-size": size, "text-anchor": "middle" }, String(index + 1));
  return group;
}

/** What stands in the place of a photo. */
function absence({ state, fields, reason }) {
  if (state === "gone") {
    // one that was lost has time left
    const ended = fields.photo_until && new Date(fields.photo_until) <= Date.now();
    return [
      make("strong", {}, "This photo is not kept any more."),
      make("p", {}, `${ended ? `Its time ended on ${moment(fields.photo_until)}. ` : ""}What the model found is still there. You can decide about it from other knowledge, `
        + "or leave it for later (N)."),
      make("p", { class: "faint" }, "How long photos are kept is set by FAUNALENS_RETENTION_HOURS."),
    ];
  }
  if (state === "late") {
    return [make("strong", {}, "This photo has not come yet."),
      make("p", {}, `${reason} It is fetched again. You can decide about it when it is here.`)];
  }
  if (state === "failed") return [make("strong", {}, "This photo cannot be shown."), make("p", {}, reason)];
  return [make("p", {}, "Loading the photo …")];
}
