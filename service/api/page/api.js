// Requests to the service. The key is kept in this tab only, and sent in a header, never in an address.

/** Milliseconds until what may pass is tried again. */
export const LOOK_AGAIN = 3_000;
// a network that went without a word would let a request wait for minutes
const ANSWER_WITHIN = 30_000;
const STORED = "faunalens-key";
const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";

/** Sixteen characters by chance; `crypto.randomUUID` is there over https only. */
export function token() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => ALPHABET[n % 36]).join("");
}

/** Tells this window from others of the same moderator. */
export const session = token();

// what the service says to programs, in words for moderators
const WORDS = { unauthenticated: "This key is not known, or not valid any more." };

// what a header takes; the browser would send nothing with anything else, as if the network were away
const SENDABLE = /^[!-~]*$/;

let key = sessionStorage.getItem(STORED) ?? "";

/** The key from now on, without what cannot be seen: programs for chats and documents put it into what is copied. */
export function setKey(text) {
  key = text.replace(/[\s\p{Cf}]/gu, "");
  if (key) sessionStorage.setItem(STORED, key);
  else sessionStorage.removeItem(STORED);
}

export const hasKey = () => key !== "";

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/**
 * An answer that is an error; `code` as in docs/errors.md, `network` when there was no answer.
 * `stale`: it answers to a key that was given up meanwhile.
 */
export class Failure extends Error {
  constructor(code, message, status = 0) {
    super(message);
    this.code = code;
    this.status = status;
    this.stale = false;
  }

  /** Whether trying again later may help. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** `window`: whose photos it is about, this one's unless another is gone. */
export function headers(window = session) {
  return { "X-Review-Session": window, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
}

/** For a request that is sent now: makes the failure of an answer's status and its `error`. */
export function failing() {
  const sent = key;
  return (status, error = {}) => {
    const words = WORDS[error.code] ?? error.message ?? `The service answered ${status}.`;
    const told = new Failure(error.code ?? "unknown", words, status);
    told.stale = (status === 401 || status === 403) && sent !== key;
    return told;
  };
}

/** An address beside the page's own: a proxy may have put the service below a path. */
export const here = (path) => path.slice(1);

/**
 * What the service answers, a Blob, or null where that is nothing; raises Failure where it is an error. `name`: of the
 * request, so that it is done once however often it is sent; `patience`: milliseconds until an answer has to begin, and go on.
 */
async function ask(method, path, body, { name, window, patience = ANSWER_WITHIN, ...options }) {
  const given = body === undefined ? {} : { body: JSON.stringify(body) };
  const kind = body === undefined ? {} : { "Content-Type": "application/json" };
  const once = name ? { "Idempotency-Key": name } : {};
  const failure = failing();
  if (!SENDABLE.test(key)) throw failure(401, { code: "unauthenticated" });
  const stop = new AbortController();
  let response;
  try {
    const all = { ...headers(window), ...kind, ...once };
    response = await within(patience, stop, fetch(here(path), { method, headers: all, ...given, signal: stop.signal, ...options }));
  } catch {
    throw new Failure("network", stop.signal.aborted ? "The service does not answer." : "The service cannot be reached.");
  }
  if (response.ok) return response.status === 204 ? null : whole(response, patience, stop);
  const told = await whole(response, patience, stop).then(json).catch(() => ({}));
  throw failure(response.status, told?.error);
}

/** `answer`; asks no longer if it is not there soon. */
async function within(patience, stop, answer) {
  const late = setTimeout(() => stop.abort(), patience);
  try {
    return await answer;
  } finally {
    clearTimeout(late);
  }
}

/** All that an answer holds; the connection may break in the middle of it, or go without a word. */
async function whole(response, patience, stop) {
  const parts = [];
  try {
    for (const reader = response.body?.getReader(); reader;) {
      const { done, value } = await within(patience, stop, reader.read());
      if (done) break;
      parts.push(value);
    }
  } catch {
    throw new Failure("network", "The answer of the service was cut off.");
  }
  return new Blob(parts, { type: response.headers.get("Content-Type") ?? "" });
}

async function json(blob) {
  try {
    return JSON.parse(await blob.text());
  } catch {
    throw new Failure("network", "The answer of the service was cut off.");
  }
}

/** The JSON of an answer; raises Failure. */
export async function call(method, path, body, options = {}) {
  const answer = await ask(method, path, body, options);
  return answer && json(answer);
}

/** A file, as a Blob; raises Failure. */
export const file = (path, options = {}) => ask("GET", path, undefined, options);

/** A picture, decoded and ready to be drawn; raises Failure. */
export async function picture(path) {
  return createImageBitmap(await file(path));
}

/** `path` with the parameters that have a value. */
export function address(path, parameters) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value != null && value !== ""));
  return query.size ? `${path}?${query}` : path;
}
