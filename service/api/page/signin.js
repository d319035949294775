// Who is here: asks for a key, tries it, and asks again when it is not taken any more.

import { LOOK_AGAIN, call, hasKey, pause, setKey } from "./api.js";
import { $, notice } from "./dom.js";

export class SignIn {
  #entering = null;

  /** `come(me)`: somebody is here, as `/v1/review/me` says; `leave()`: nobody is from now on; `failed(failure)`. */
  constructor({ come, leave, failed }) {
    this.come = come;
    this.leave = leave;
    this.failed = failed;
    $("login-form").addEventListener("submit", (event) => {
      event.preventDefault();
      setKey($("login-key").value);
      this.enter();
    });
  }

  /** Once at a time, however often Enter is pressed: what is set up in it must not be there twice. */
  enter() {
    this.#entering ??= this.#enter().catch(this.failed).finally(() => (this.#entering = null));
  }

  async #enter() {
    const me = await again(() => call("GET", "/v1/review/me"));
    $("login").close();
    $("login-key").value = "";
    $("who").textContent = me.moderator ? `You are ${me.name || me.moderator}.` : "Keys are off here: everybody is the same moderator.";
    $("forget-key").hidden = !hasKey();
    await this.come(me);
  }

  /** The key was not taken. */
  ask(error) {
    this.leave();
    if ($("login").open && !hasKey()) return;
    $("login-problem").textContent = hasKey() ? error.message : "";
    setKey("");
    for (const dialog of document.querySelectorAll("dialog[open]:not(#login)")) dialog.close();
    if (!$("login").open) $("login").showModal();
    $("login-key").focus();
  }
}

/** Try until it works: the service may still be starting, and another key may have been given meanwhile. */
export async function again(work) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (error.stale) continue;
      if (!error.passing) throw error;
      notice(`${error.message} Trying again …`, { kind: "error", seconds: 1 + LOOK_AGAIN / 1e3 });
      await pause(LOOK_AGAIN);
    }
  }
}
