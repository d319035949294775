// Lists of buttons by keyboard: arrow keys, and letters that a button begins with.

import { named } from "./keys.js";

const TOGETHER = 1000;

/** Go where an arrow key, Home or End leads from the button of `list` that has the focus. */
export function walk(event, list) {
  const buttons = [...list.querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  const columns = getComputedStyle(list).gridTemplateColumns.split(" ").length;
  const onward = list.matches(":dir(rtl)") ? -1 : 1;
  const step = { ArrowLeft: -onward, ArrowRight: onward, ArrowUp: -columns, ArrowDown: columns, Home: -at, End: buttons.length - 1 - at }[event.key];
  if (at < 0 || step === undefined) return;
  event.preventDefault();
  buttons[Math.min(buttons.length - 1, Math.max(0, at + step))].focus();
}

/** Let letters that are typed in `dialog` go to the next button of `list` that begins so; spaces do not count. */
export function find(dialog, list) {
  let [typed, before] = ["", -Infinity];
  dialog.addEventListener("keydown", (event) => {
    const key = named(event);
    if (event.ctrlKey || event.altKey || event.metaKey || [...key].length > 1 || !key.trim()) return;
    typed = event.timeStamp - before > TOGETHER ? key : typed + key;
    before = event.timeStamp;
    const buttons = [...list.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    // one letter goes on to the next; more of them say better which is meant
    const next = typed.length > 1 ? Math.max(at, 0) : at + 1;
    const begins = (button) => button.textContent.replace(/\s/g, "").toLowerCase().startsWith(typed);
    [...buttons.slice(next), ...buttons.slice(0, next)].find(begins)?.focus();
  });
}
