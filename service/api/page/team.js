// How much each moderator decided.

import { call } from "./api.js";
import { $, count, make, notice } from "./dom.js";

const KINDS = ["confirm", "reject", "unsure", "escalate", "undo"];

export async function showTeam(me) {
  $("team").showModal();
  try {
    const { moderators } = await call("GET", "/v1/review/moderators");
    $("team-rows").replaceChildren(...moderators.map(({ moderator, name, today, week }) => make("tr",
      { class: moderator === me.moderator ? "own" : "" },
      make("th", { scope: "row" }, name || moderator || "keys are off"),
      ...[today.decided, week.decided, ...KINDS.map((kind) => week.decisions[kind] ?? 0)].map((value) => make("td", {}, count(value))))));
    $("team-none").hidden = moderators.length > 0;
  } catch (error) {
    notice(error.message, { kind: "error" });
  }
}
