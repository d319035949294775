// Which windows of this browser took photos, and for whom: what one had that crashed is given back by the next, and does not
// wait until its time is over. By https and on localhost only, where windows tell by locks which of them are open.

import { call, session } from "./api.js";

const PREFIX = "faunalens-window-";

/**
 * Write down that this window takes photos for `moderator`, and give back what windows of theirs had that are gone, after
 * `kept`: what was decided in them is kept by then. `own`: gone ones whose locks this window has.
 */
export async function tidy(moderator, kept, own) {
  const open = await opened();
  // without a lock of its own others would take it for gone
  if (open.has(session)) localStorage.setItem(PREFIX + session, moderator);
  const names = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX)).map((key) => key.slice(PREFIX.length));
  await kept;
  for (const name of names) {
    if (localStorage[PREFIX + name] !== moderator || (open.has(name) && !own.has(name))) continue;
    await call("DELETE", "/v1/review/claims", undefined, { window: name });
    localStorage.removeItem(PREFIX + name);
  }
}

async function opened() {
  const { held } = await navigator.locks.query();
  return new Set(held.map(({ name }) => name.replace("faunalens-", "")));
}
