// What waits to be sent, written down in this browser: a page that crashes or is closed loses no decision.
// Numbers and decisions only: no photo, no name, no key. Windows tell by locks which of them are open, and browsers have
// locks by https and on localhost only: elsewhere nothing is written down.

import { session } from "./api.js";

const DATABASE = "faunalens";
const TABLE = "waiting";

export class Journal {
  /** Windows that are gone, and whose changes are this one's. */
  gone = new Set();
  #database = opened().catch(() => null);

  /** Write a change down; resolves to its place, or to null where that cannot be. */
  add(change) {
    return this.#table("readwrite", (table) => table.add({ ...change, session }));
  }

  /** The change at `place` waits no more. */
  remove(place) {
    return place === null ? null : this.#table("readwrite", (table) => table.delete(place));
  }

  /** What windows of `moderator` that are gone left behind, oldest first. It is this window's from now on. */
  async left(moderator) {
    const of = async (wanted) => ((await this.#table("readonly", (table) => table.getAll())) ?? []).filter(wanted);
    const sessions = new Set((await of((change) => change.moderator === moderator)).map((change) => change.session));
    const gone = new Set();
    for (const name of sessions) if (await hold(name)) gone.add(name);
    for (const name of gone) this.gone.add(name);
    // read anew: another window may have sent some until it let go
    return of((change) => change.moderator === moderator && gone.has(change.session));
  }

  async #table(mode, work) {
    const database = await this.#database;
    if (!database) return null;
    try {
      return await new Promise((done, failed) => {
        const transaction = database.transaction(TABLE, mode);
        const request = work(transaction.objectStore(TABLE));
        transaction.oncomplete = () => done(request.result);
        transaction.onabort = failed;
      });
    } catch {
      // no room, or cleared by hand: the page goes on without
      return null;
    }
  }
}

/** The database, once others can see that this window is open. */
async function opened() {
  await hold(session);
  return new Promise((done, failed) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE, { keyPath: "place", autoIncrement: true });
    request.onsuccess = () => done(request.result);
    request.onerror = failed;
  });
}

/** Hold the lock of a window for as long as this one is open; false if another holds it. */
function hold(name) {
  return new Promise((done, failed) => {
    navigator.locks.request(`faunalens-${name}`, { ifAvailable: true }, (lock) => {
      done(lock !== null);
      return lock && new Promise(() => {});
    }).catch(failed);
  });
}
