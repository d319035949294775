// Which key does what: one table, from which the help and the labels of the buttons are made.

import { $, make } from "./dom.js";

/** `both`: also while the grid is shown; `where`: only there. */
export const KEYS = [
  { key: "c", does: "confirm", text: "Confirm the strongest finding", group: "Decide", both: true },
  { key: "1", shown: "1 – 9", does: "confirmNth", text: "Confirm that finding", group: "Decide" },
  { key: "o", does: "other", text: "Confirm another category", group: "Decide" },
  { key: "r", does: "reject", text: "Reject: no wildlife product", group: "Decide", both: true },
  { key: "s", does: "unsure", text: "Unsure: leave it to others", group: "Decide", both: true },
  { key: "e", does: "escalate", text: "Escalate", group: "Decide", both: true },
  { key: "u", shown: "U", does: "undo", text: "Undo, again and again", group: "Decide", both: true },
  { key: "n", does: "skip", text: "Next, leave this one for later", group: "Decide" },
  { key: " ", shown: "Space", does: "reveal", text: "Show the photo clearly, hide it again", group: "Look" },
  { key: "h", does: "heat", text: "Heat map: where the evidence is", group: "Look" },
  { key: "b", does: "boxes", text: "Boxes", group: "Look" },
  { key: "z", does: "zoom", text: "Zoom; the arrow keys or the mouse move", group: "Look" },
  { key: "g", does: "grid", text: "Grid: many at once, and back", group: "Page", both: true },
  { key: "a", does: "selectAll", text: "Select all that you have seen, or none", group: "Grid", where: "grid" },
  { key: " ", shown: "Space", does: "select", text: "Select the photo", group: "Grid", where: "grid" },
  { key: "v", does: "revealAll", text: "Show all clearly, hide them again", group: "Grid", where: "grid" },
  { key: "Enter", shown: "Enter", does: "open", text: "Look at one photo", group: "Grid", where: "grid" },
  { key: "f", does: "filters", text: "Filters", group: "Page", both: true },
  { key: "p", does: "add", text: "Add photos", group: "Page", both: true },
  { key: "m", does: "team", text: "Moderators and their counts", group: "Page", both: true },
  { key: ",", does: "settings", text: "Settings", group: "Page", both: true },
  { key: "?", does: "help", text: "This help", group: "Page", both: true },
];

const TYPING = "input:not([type=checkbox]):not([type=radio]), select, textarea";

/** What of `selector` has the focus. A dialog that has just closed may keep it until the next frame: that does not count. */
function within(event, selector) {
  const found = event.target.closest?.(selector);
  return found?.checkVisibility() ? found : null;
}

/**
 * The key as the table calls it. Where a keyboard has no Latin letters it is the one at that place, and where it has digits
 * with Shift only, as a French or Czech one, the digit is there without, too.
 */
export function named({ key, code, shiftKey }) {
  const name = key.length === 1 ? key.toLowerCase() : key;
  if (/^\d$/.test(name) || KEYS.some((one) => one.key === name)) return name;
  if (/^[\p{L}\p{M}]/u.test(key) && !/\p{Script=Latin}/u.test(key) && code.startsWith("Key")) return code.slice(3).toLowerCase();
  return code.startsWith("Digit") && !shiftKey ? code.slice(5) : name;
}

/** Call `act(name, event)` for keys. `context()`: { grid, shortcuts }. */
export function listen(act, context) {
  document.addEventListener("keydown", (event) => {
    if (event.repeat && event.key === "Enter" && event.target.closest?.("button")) event.preventDefault();
    if (event.defaultPrevented || event.repeat || event.altKey || event.metaKey) return;
    // on Linux that is not Alt; what it types is no key of the page
    if (event.getModifierState("AltGraph")) return;
    if (document.querySelector("dialog[open]") || within(event, TYPING)) return;
    const key = named(event);
    if (event.ctrlKey) {
      if (key === "z" && !event.shiftKey) run("undo", event);
      return;
    }
    const { grid, shortcuts } = context();
    if (!shortcuts) return;
    const onControl = within(event, "button, summary, a");
    if ([" ", "Enter"].includes(event.key) && onControl && !onControl.classList.contains("tile")) return;
    if (!grid && /^[1-9]$/.test(key)) {
      run("confirmNth", event, Number(key) - 1);
      return;
    }
    const found = KEYS.find((one) => one.key === key && (one.both || (one.where === "grid") === grid));
    if (found) run(found.does, event);
  });

  function run(name, event, argument) {
    event.preventDefault();
    act(name, argument);
  }
}

/** Escape closes the dialog at once, so that the next key is the page's; one that is marked `data-stays` stays. */
export function closeByEscape() {
  document.addEventListener("keydown", (event) => {
    const dialog = document.activeElement?.closest("dialog[open]") ?? document.querySelector("dialog[open]");
    if (event.key !== "Escape" || !dialog) return;
    event.preventDefault();
    if (!("stays" in dialog.dataset)) dialog.close();
  }, true);
  for (const dialog of document.querySelectorAll("dialog[data-stays]")) {
    dialog.addEventListener("cancel", (event) => event.preventDefault());
  }
}

/** Fill the help. */
export function fillHelp() {
  const groups = Map.groupBy(KEYS, ({ group }) => group);
  $("help-keys").replaceChildren(...[...groups].map(([group, keys]) => make("section", {}, make("h3", {}, group),
    make("dl", { class: "keys" }, keys.flatMap(({ key, shown, text }) => [
      make("dt", {}, make("kbd", {}, shown ?? key.toUpperCase())), make("dd", {}, text)])))));
}
