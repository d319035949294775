// Photos dropped on the page, or chosen: one batch, with its progress.

import { LOOK_AGAIN, address, call, Failure, failing, headers, here, pause, token } from "./api.js";
import { $, bytes, count, isolated, make, notice } from "./dom.js";

const LOOK_EVERY = 1000;
const PICTURE = /\.(jpe?g|png|webp|gif|avif|tiff?|bmp)$/i;

export class Add {
  #untell = () => {};

  /** `review(batch)`: look at what was found in it; `grew()`: there may be more to review; `failed(failure)`: the key was not taken. */
  constructor(review, grew, failed) {
    this.review = review;
    this.grew = grew;
    this.failed = failed;
    this.files = [];
    this.request = null;
    this.unanswered = null;
    $("add-files").addEventListener("change", (event) => this.offer(chosen(event.target)));
    $("add-folder").addEventListener("change", (event) => this.offer(chosen(event.target)));
    $("add-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    addEventListener("beforeunload", (event) => this.request && event.preventDefault());
    this.watchDrops();
  }

  watchDrops() {
    let depth = 0;
    const ours = (event) => event.dataTransfer?.types.includes("Files");
    addEventListener("dragenter", (event) => {
      if (ours(event)) $("drop").hidden = (depth += 1) === 0;
    });
    addEventListener("dragleave", (event) => {
      if (ours(event)) $("drop").hidden = (depth -= 1) <= 0;
    });
    addEventListener("dragover", (event) => ours(event) && event.preventDefault());
    addEventListener("drop", async (event) => {
      if (!ours(event)) return;
      event.preventDefault();
      depth = 0;
      $("drop").hidden = true;
      const files = await dropped(event.dataTransfer);
      this.openDialog();
      this.offer(files);
    });
  }

  async openDialog() {
    if (!$("add").open) $("add").showModal();
    this.showBatches();
    // once, however often the dialog is opened meanwhile: a second answer would undo what was chosen
    this.policies ??= this.fillPolicies();
    await this.policies;
  }

  async fillPolicies() {
    const model = await call("GET", "/v1/model").catch(() => null);
    if (!model) {
      this.policies = null;
      notice("The policies could not be read: the service's default is used.", { kind: "error" });
      return;
    }
    const { policies, default_policy: first } = model;
    $("add-policy").replaceChildren(...Object.keys(policies).map((name) => make("option", { value: name, selected: name === first }, name)));
    const describe = () => {
      $("add-policy-text").textContent = policies[$("add-policy").value]?.description ?? "";
    };
    $("add-policy").addEventListener("change", describe);
    describe();
  }

  /** These files are what would be sent. */
  offer(files) {
    const pictures = files.filter(({ name }) => PICTURE.test(name) && !name.split("/").some((part) => part.startsWith(".")));
    const others = files.length - pictures.length;
    this.files = pictures;
    const size = pictures.reduce((sum, { file }) => sum + file.size, 0);
    const folders = pictures.some(({ name }) => name.includes("/"));
    $("add-chosen").textContent = pictures.length
      ? `${count(pictures.length)} ${pictures.length === 1 ? "photo" : "photos"}, ${bytes(size)}${others ? `; ${count(others)} other files are left out` : ""}`
      : files.length ? "None of these files is a photo." : "";
    $("add-start").disabled = !pictures.length;
    $("listing-folders").disabled = !folders;
    if (!folders && $("listing-folders").checked) $("listing-one").checked = true;
  }

  async send() {
    const { files } = this;
    const listing = document.querySelector("input[name=listing]:checked").value;
    const form = new FormData();
    for (const { file, name } of files) form.append("file", file, name);
    const path = address("/v1/batches", {
      policy: $("add-policy").value, source: $("add-source").value.trim(),
      listing_id: listing === "one" ? $("add-listing").value.trim() : "", folders_are_listings: listing === "folders" || "",
    });
    this.#untell();
    // the same photos sent again, because the answer was lost, are no second batch
    const name = this.unanswered?.path === path && this.unanswered.files === files ? this.unanswered.name : token();
    this.offer([]);
    $("add-form").hidden = true;
    $("sending").hidden = false;
    $("sending-stop").focus();
    try {
      const batch = await this.upload(path, form, files.length, name);
      $("add-form").reset();
      this.follow(batch);
    } catch (error) {
      this.offer(files);
      this.unanswered = { path, name, files: this.files };
      if (error.status === 401 && !error.stale) this.failed(error);
      this.#untell = notice(`The batch was not started: ${error.message}`, { kind: "error", seconds: 0 });
    } finally {
      const held = document.activeElement === $("sending-stop");
      this.request = null;
      $("add-form").hidden = false;
      $("sending").hidden = true;
      if (held) $($("add-start").disabled ? "add-files" : "add-start").focus();
    }
  }

  /** Send the form; XMLHttpRequest, because fetch does not tell how far it is. */
  upload(path, form, total, name) {
    return new Promise((done, failed) => {
      const request = new XMLHttpRequest();
      const failure = failing();
      this.request = request;
      request.open("POST", here(path));
      for (const [header, value] of Object.entries({ ...headers(), "Idempotency-Key": name })) request.setRequestHeader(header, value);
      request.responseType = "json";
      request.upload.addEventListener("progress", ({ loaded, total: all }) => {
        $("sending-bar").value = all ? loaded / all : 0;
        $("sending-text").textContent = loaded < all
          ? `Sending ${count(total)} photos: ${bytes(loaded)} of ${bytes(all)}` : "Sent; the service stores them …";
      });
      request.addEventListener("load", () => {
        if (request.status === 202) done(request.response);
        else failed(failure(request.status, request.response?.error));
      });
      request.addEventListener("error", () => failed(new Failure("network", "The service cannot be reached.")));
      request.addEventListener("abort", () => failed(new Failure("stopped", "You stopped it.")));
      request.send(form);
    });
  }

  stop() {
    this.request?.abort();
  }

  /** Whoever chose photos is not here any more. */
  forget() {
    this.offer([]);
    $("add-form").reset();
    $("batches").replaceChildren();
  }

  async showBatches() {
    const { batches } = await call("GET", "/v1/batches?limit=6").catch(() => ({ batches: [] }));
    for (const batch of batches.toReversed()) this.follow(batch);
  }

  /** A line with the batch's progress, until it has ended. */
  async follow({ id, source, created_at: at }) {
    if ($(`batch-${id}`)) return;
    const bar = make("progress", { max: 1, value: 0, "aria-label": "Judged" });
    const text = make("span", { class: "faint" });
    const look = make("button", { type: "button", class: "link", click: () => this.review(id) }, "Review these");
    const stop = make("button", { type: "button", class: "link", hidden: true, click: () => call("POST", `/v1/batches/${id}:cancel`)
      .catch((error) => notice(error.message, { kind: "error" })) }, "Stop");
    const line = make("li", { id: `batch-${id}` }, make("div", {}, make("strong", {}, isolated(source || "Batch")),
      ` of ${new Date(at).toLocaleTimeString("en", { timeStyle: "short" })}`), bar, text, make("div", {}, look, " ", stop));
    $("batches").prepend(line);
    for (;;) {
      const status = await call("GET", `/v1/batches/${id}`).catch((error) => (error.passing ? null : { gone: true }));
      if (status?.gone || !line.isConnected) {
        line.remove();
        return;
      }
      if (!status) {
        await pause(LOOK_AGAIN);
        continue;
      }
      const { counts, total, finished, state, eta_seconds: eta } = status;
      bar.value = total ? finished / total : 1;
      stop.hidden = state !== "running";
      const left = state === "running" && eta ? `, ${eta < 90 ? `${Math.ceil(eta)} s` : `${Math.ceil(eta / 60)} min`} left` : "";
      text.textContent = `${count(finished)} of ${count(total)} judged${left}: ${count(counts.priority)} priority, `
        + `${count(counts.review)} review, ${count(counts.clear)} clear${counts.failed ? `, ${count(counts.failed)} failed` : ""}`
        + `${state === "cancelled" ? "; stopped" : ""}`;
      line.dataset.state = state;
      this.grew(counts.priority + counts.review);
      if (state !== "running") return;
      await pause(LOOK_EVERY);
    }
  }
}

const chosen = (input) => [...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name }));

/** The files of a drop, those in folders too, with their paths. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, name: file.name }));
  return (await Promise.all(entries.map((entry) => walk(entry, "")))).flat();
}

async function walk(entry, folder) {
  const name = `${folder}${entry.name}`;
  if (entry.isFile) return [{ file: await new Promise((done, failed) => entry.file(done, failed)), name }];
  const reader = entry.createReader();
  const inside = [];
  for (;;) {
    // a reader hands out at most a hundred entries a time
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) break;
    inside.push(...some);
  }
  return (await Promise.all(inside.map((one) => walk(one, `${name}/`)))).flat();
}
