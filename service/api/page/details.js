// Why a photo is here: findings, CITES listings, look-alikes, and photos like it that were seen before.

import { picture } from "./api.js";
import { $, drawSquare, isolated, make, moment, percent } from "./dom.js";

const THUMB = 112;
const LIKES = 3;
const DWELL = 250;
const VERDICTS = { priority: "Priority", review: "Review", clear: "Clear" };
const DECISIONS = { confirm: "confirmed", reject: "rejected", unsure: "left unsure", escalate: "escalated", undo: "taken back" };

export class Details {
  /** `categories`: of the service, by id; `confirm(category)`, `only(listing)`: what a press does. */
  constructor(categories, confirm, only) {
    this.categories = categories;
    this.confirm = confirm;
    this.only = only;
    this.entry = null;
  }

  show(entry) {
    if (this.entry !== entry) {
      this.entry = entry;
      // before the content changes, when it costs no layout
      if ($("details").scrollTop) $("details").scrollTop = 0;
      $("details").hidden = !entry;
      const held = $("details").contains(document.activeElement);
      if (entry) this.fill(entry.fields);
      // the button that was pressed is gone: stay where it was
      if (held && !$("details").contains(document.activeElement)) $("details").focus({ preventScroll: true });
    }
    if (entry) this.fillSimilar(entry);
  }

  fill({ verdict, findings, state, ...fields }) {
    const strongest = findings[0];
    const known = this.categories.get(strongest.category);
    $("verdict").textContent = VERDICTS[verdict];
    $("verdict").className = `badge ${verdict}`;
    $("headline").textContent = strongest.name;
    $("reason").textContent = `The model gives ${percent(strongest.probability)}; the threshold for ${strongest.verdict} is `
      + `${percent(strongest.threshold)}.`;
    $("state").textContent = { second: "Waits for a second opinion. Say what you see; the first is not shown.",
      unsure: "Somebody was unsure.", escalated: "Escalated: your decision is final." }[state] ?? "";
    $("findings").replaceChildren(...findings.map((finding, index) => this.finding(finding, index)));
    $("lookalikes").textContent = known?.lookalike_hints ?? "";
    $("lookalike-names").textContent = known ? `Often taken for it: ${known.lookalikes.join(", ")}.` : "";
    $("cites-count").textContent = `CITES listings (${strongest.cites.length})`;
    $("cites").replaceChildren(...strongest.cites.map(listing));
    $("facts").replaceChildren(...this.facts(fields));
  }

  finding(finding, index) {
    const key = index < 9 ? make("kbd", {}, String(index + 1)) : null;
    const meter = make("span", { class: "meter", "aria-hidden": "true" }, make("i", {}), make("b", {}));
    meter.style.setProperty("--value", finding.probability);
    meter.style.setProperty("--threshold", finding.threshold);
    const label = `Confirm ${finding.name}: ${percent(finding.probability)}, threshold ${percent(finding.threshold)}`;
    const button = make("button", { type: "button", class: "finding", "aria-label": label, title: "Confirm this category",
      click: () => this.confirm(finding.category) },
    key, make("span", { class: "name" }, finding.name,
      finding.maturity === "core" ? null : make("small", { class: "tag" }, finding.maturity)),
    make("span", { class: "value" }, percent(finding.probability)), meter,
    make("small", { class: "faint" }, `threshold ${percent(finding.threshold)} · ${finding.verdict}`));
    return make("li", { class: `box-${index % 4}` }, button);
  }

  facts({ file, listing_id: id, source, judged_at: at, image, model, policy }) {
    const rows = [["File", file], ["Listing", id ? make("span", {}, make("bdi", {}, id), " ", make("button", { type: "button", class: "link",
      click: () => this.only(id) }, "only this listing")) : "none given"], ["Source", source || "none given"],
    ["Judged", moment(at)], ["Photo", `${image.width} × ${image.height}, ${image.format}`],
    ["Model", `${model.name}, ${model.sha256.slice(0, 12)}`], ["Policy", `${policy.name}, version ${policy.version}`]];
    return rows.flatMap(([term, text]) => [make("dt", {}, term), make("dd", {}, text)]);
  }

  fillSimilar(entry) {
    if (this.filled === entry && this.filledFrom === entry.similar) return;
    this.filled = entry;
    this.filledFrom = entry.similar;
    const found = entry.similar || [];
    $("similar-part").hidden = entry.similar?.length === 0;
    $("similar").replaceChildren(...found.slice(0, LIKES).map((one) => this.like(one)));
    $("similar-more").textContent = entry.similar == null ? "Looking …" : entry.similar === false ? "This could not be looked up."
      : found.length > LIKES ? `and ${found.length - LIKES} or more others` : "";
  }

  like(one) {
    const canvas = make("canvas", { class: "thumb", width: THUMB, height: THUMB, "aria-hidden": "true" });
    // not for those who press on at once
    if (one.photo) setTimeout(() => canvas.isConnected && drawThumb(canvas, one.item), DWELL);
    const name = one.category ? this.categories.get(one.category)?.name ?? one.category : "";
    const decided = one.decision && one.decision !== "undo" && one.state !== "second";
    const what = decided ? `${DECISIONS[one.decision]}${name ? `: ${name}` : ""}` : "not decided";
    const nearness = one.identical ? "the same file" : one.mirrored ? "mirrored" : `${one.distance} of 64 bits differ`;
    return make("li", {}, canvas, make("div", {},
      make("strong", { class: `outcome ${decided ? one.decision : "none"}` }, what),
      make("small", { class: "faint" }, [nearness, one.listing_id && `listing ${isolated(one.listing_id)}`, one.source && `from ${isolated(one.source)}`,
        decided && moment(one.decided_at), one.photo ? null : "photo not kept"].filter(Boolean).join(" · "))));
  }
}

async function drawThumb(canvas, item) {
  try {
    const bitmap = await picture(`/v1/review/items/${item}/photo?size=small`);
    drawSquare(canvas, bitmap, THUMB);
    bitmap.close();
  } catch {
    // the words beside it say what there is to say
  }
}

function listing({ taxon, appendix, note, as_of: asOf, verified }) {
  return make("li", {}, make("em", {}, taxon), ` Appendix ${appendix}. ${note}. `,
    make("small", { class: "faint" }, verified ? `As of ${asOf}.` : `As of ${asOf}, not verified.`));
}
