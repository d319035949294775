// Small helpers. Text goes in as text, so that no file name is ever taken for markup.

export const $ = (id) => document.getElementById(id);

/** An element: `make("p", { class: "faint" }, "text", child)`. Properties that are functions are listeners. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

export const percent = (value) => (value < 0.001 ? "under 0.1\u00a0%" : `${(value * 100).toPrecision(value < 0.1 ? 2 : 3)}\u00a0%`);
export const count = (value) => value.toLocaleString("en");
const TIMES = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
export const moment = (iso) => TIMES.format(new Date(iso));

export function bytes(value) {
  return value < 1e6 ? `${Math.ceil(value / 1e3)} kB` : value < 1e9 ? `${(value / 1e6).toFixed(1)} MB` : `${(value / 1e9).toFixed(2)} GB`;
}

/** Names of others in a sentence of ours: signs in them that turn the direction of writing end with them. */
export const isolated = (text) => `\u2068${text}\u2069`;

/** Whether a press of a button does something. It keeps the focus all the same, which `disabled` would lose. */
export function able(button, can) {
  button.setAttribute("aria-disabled", String(!can));
}

/** Say something to screen readers, and nothing to others. */
export function say(text) {
  $("live").textContent = text;
}

/** A message that stays for a while, or until `close` is called. Said again it stays longer. */
export function notice(text, { kind = "info", seconds = 8 } = {}) {
  overDialogs();
  const box = [...$("notices").children].find((one) => one.said === text) ?? put(text, kind);
  const close = () => box.remove();
  clearTimeout(box.end);
  box.end = seconds ? setTimeout(close, seconds * 1e3) : 0;
  return close;
}

function put(text, kind) {
  const box = make("div", { class: `notice ${kind}`, role: kind === "error" ? "alert" : "status" }, make("span", {}, text),
    make("button", { type: "button", class: "plain", "aria-label": "Dismiss", click: () => box.remove() }, "×"));
  // what the page shows may have been translated
  box.said = text;
  $("notices").append(box);
  return box;
}

/** What is outside an open dialog lies behind it, and screen readers pass over it. */
function overDialogs() {
  const dialog = document.activeElement?.closest("dialog[open]") ?? document.querySelector("dialog[open]");
  if (dialog) dialog.append($("notices"));
  else $("messages").prepend($("notices"));
}

document.addEventListener("close", overDialogs, true);

/** Draw a bitmap on a canvas of its size. */
export function draw(canvas, bitmap) {
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
}

/** Draw the middle of a bitmap, filling a square canvas. */
export function drawSquare(canvas, bitmap, side) {
  const cut = Math.min(bitmap.width, bitmap.height);
  canvas.width = canvas.height = side;
  canvas.getContext("2d").drawImage(
    bitmap, (bitmap.width - cut) / 2, (bitmap.height - cut) / 2, cut, cut, 0, 0, side, side);
}
