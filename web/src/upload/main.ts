// The page for uploads: files and folders are chosen or dropped, sent by tus, and become a draft.
import { CHECKED } from "./checked";
import { type Chosen, ofDrop, ofInput, withoutHidden } from "./chosen";
import { Pace, size } from "./pace";
import { type Known, Queue } from "./queue";
import { List } from "./show";
import { t } from "../shared/words";

const SAY_MS = 10_000; // how often progress is read out
const ASK_MS = 1500; // how often the worker is asked

const part = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const root = part("upload");
const form = part<HTMLFormElement>("record");
const submit = form.querySelector<HTMLButtonElement>("button[type=submit]")!;
const begin = root.dataset.begin!;
const largest = Number(root.dataset.largest);

let batch = location.hash.startsWith("#batch=") ? location.hash.slice("#batch=".length) : "";
let beginning: Promise<string> | null = null;
let wanted = false; // the draft was asked for, and is made when all files are there
let said = 0;
let shown = 0; // the timer that shows what changed, 0 where none runs

const pace = new Pace();
const queue = new Queue(root.dataset.create!, Number(root.dataset.piece), ofBatch, changed, trouble);
const list = new List(part("transfers"), part("more"), (path) => queue.leaveOut(path));

/** Return the batch that files belong to; it is begun with the first. */
async function ofBatch(): Promise<string> {
  if (batch) return batch;
  const title = new FormData(form).get("title");
  beginning ??= ask("POST", `${begin}?title=${encodeURIComponent(String(title ?? ""))}`).then((told) => {
    keep(String(told.batch));
    return batch;
  });
  try {
    return await beginning;
  } finally {
    beginning = null;
  }
}

/** Keep the batch in the page's address, so that it is there after a reload. */
function keep(id: string): void {
  batch = id;
  history.replaceState(null, "", id ? `#batch=${id}` : location.pathname);
}

/** Ask the server for JSON; what it refuses is thrown, in its words. */
async function ask(method: string, address: string, fields?: object): Promise<Record<string, unknown>> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (fields) headers["Content-Type"] = "application/json";
  let answer: Response;
  try {
    answer = await fetch(address, { method, headers, body: fields ? JSON.stringify(fields) : null });
  } catch {
    throw new Error("The server does not answer.");
  }
  const told = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  if (!answer.ok) throw new Error(String(told.detail ?? `The server answers ${answer.status}.`));
  return told;
}

/** Take what was chosen; what cannot be taken is said at once. */
function take(chosen: Chosen[]): void {
  const { kept, hidden } = withoutHidden(chosen);
  const large = kept.filter(({ file }) => file.size > largest);
  const notes = [];
  if (large.length) notes.push(t("%(file)s is larger than the %(size)s that are taken.", { file: large[0]!.path, size: size(largest) }));
  if (hidden) notes.push(t("Hidden files were left out: %(number)s.", { number: hidden }));
  if (!kept.length) notes.push(t("Nothing was chosen that can be sent."));
  trouble(notes.join(" "));
  queue.add(kept.filter((one) => !large.includes(one)));
}

/** Say what went wrong, or nothing. */
function trouble(text: string): void {
  part("trouble").textContent = text;
  part("trouble").hidden = !text;
}

/** Show what changed, soon: of thousands of files several change at once. */
function changed(): void {
  shown ||= window.setTimeout(show, 100);
}

/** Show how far all is. */
function show(): void {
  clearTimeout(shown);
  shown = 0;
  const all = [...queue.transfers.values()];
  const total = all.reduce((sum, one) => sum + one.file.size, 0);
  const sent = all.reduce((sum, one) => sum + Math.min(one.sent, one.file.size), 0);
  const done = queue.of("done").length;
  const failed = queue.of("failed").length;
  const busy = queue.of("sending", "retrying", "waiting").length > 0;
  pace.note(sent);
  part("sending").hidden = all.length === 0;
  part("sum").textContent = t("%(done)s of %(all)s files, %(sent)s of %(total)s", { done: count(done), all: count(all.length), sent: size(sent), total: size(total) });
  part<HTMLProgressElement>("all").value = total ? sent / total : done ? 1 : 0;
  part("pace").textContent = paceWords(busy, total - sent, failed);
  const pause = part("pause");
  pause.hidden = !busy;
  pause.textContent = queue.paused ? t("Go on") : t("Pause");
  part("again").hidden = failed === 0;
  list.show(queue.transfers);
  read(busy, failed, `${part("sum").textContent}. ${part("pace").textContent}`);
  if (wanted && !busy && !failed && all.length) void finish();
}

function paceWords(busy: boolean, left: number, failed: number): string {
  const how = CHECKED ? "each piece with its SHA-256" : "without checksums: this page is not opened over https";
  if (busy && queue.paused) return t("Paused; what arrived is kept.");
  if (queue.of("retrying").length && !queue.of("sending").length) return t("The server does not answer; it is tried again.");
  if (busy) return [pace.words(left), how].filter(Boolean).join(", ");
  return failed ? t("%(number)s failed.", { number: count(failed) }) : t("All files are there, %(how)s.", { how });
}

/** Have progress read out now and then, and the end at once. */
function read(busy: boolean, failed: number, text: string): void {
  const now = performance.now();
  if (busy && now - said < SAY_MS) return;
  said = now;
  const words = busy || failed ? text : queue.transfers.size ? t("All files are there.") : "";
  if (part("say").textContent !== words) part("say").textContent = words;
}

const count = (number: number) => number.toLocaleString("en").replaceAll(",", "\u202f");

/** Make the draft of what is there. */
async function finish(): Promise<void> {
  wanted = false;
  const lacking = queue.lacking();
  if (lacking.length) return offerToLeaveOut(lacking);
  submit.disabled = true;
  result(t("The draft is being made …"));
  try {
    const told = await ask("POST", `${begin}/${batch}/done`, fields());
    if (told.record) finished([{ id: String(told.record), address: String(told.address) }]);
    else await wait(String(told.address));
  } catch (error) {
    result((error as Error).message, "warn");
    submit.disabled = false;
  }
}

/** Ask about files that were begun before, are not whole, and were not chosen again. */
function offerToLeaveOut(lacking: Known[]): void {
  const names = lacking.slice(0, 3).map(({ path }) => path);
  const rest = lacking.length > 3 ? ` (+ ${count(lacking.length - 3)})` : "";
  const slip = result(`${t("Begun before and not whole: %(files)s. Choose them again above, or", { files: names.join(", ") + rest })} `, "warn");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = t("leave them out");
  button.addEventListener("click", () => void leaveOut(lacking).then(finish, (error: Error) => result(error.message, "warn")));
  slip.append(button);
}

async function leaveOut(lacking: Known[]): Promise<void> {
  for (const { upload } of lacking) {
    const answer = await fetch(upload, { method: "DELETE", headers: { "Tus-Resumable": "1.0.0" } });
    if (!answer.ok && answer.status !== 404) throw new Error(`The server answers ${answer.status}.`);
  }
  queue.knows(((await ask("GET", `${begin}/${batch}`)).files as Known[]) ?? []);
}

/** Wait for the worker that makes the record. */
async function wait(address: string): Promise<void> {
  result(t("All files are there. A worker makes the record now; you may close this page."));
  for (;;) {
    await new Promise((go) => setTimeout(go, ASK_MS));
    let told;
    try {
      told = await ask("GET", address);
    } catch {
      continue; // the server is away; the job is not
    }
    if (told.state === "done") return finished(told.records as { id: string; address: string }[]);
    if (told.state === "failed") throw new Error(`No record could be made: ${String(told.told)}`);
  }
}

/** Lead to the drafts, and make room for the next upload. */
function finished(records: { id: string; address: string }[]): void {
  sessionStorage.removeItem(batch);
  keep("");
  queue.clear();
  form.reset();
  submit.disabled = false;
  part("going-on").hidden = true;
  show();
  const slip = result(`${records.length > 1 ? t("%(number)s drafts were made:", { number: records.length }) : t("The draft was made:")} `);
  records.forEach(({ id, address }, at) => {
    if (at) slip.append(", ");
    slip.append(link(id, address), " (", link(t("manage"), `${address}/manage`), ")");
  });
  slip.querySelector("a")?.focus();
}

function link(text: string, address: string): HTMLAnchorElement {
  const made = document.createElement("a");
  made.href = address;
  made.textContent = text;
  return made;
}

/** Say below the form what became of it. */
function result(text: string, kind = ""): HTMLElement {
  const slip = document.createElement("div");
  slip.className = `slip ${kind}`;
  slip.append(text);
  part("result").replaceChildren(slip);
  return slip;
}

/** Return what was filled in. */
function fields(): Record<string, string> {
  return Object.fromEntries([...new FormData(form)].map(([name, text]) => [name, String(text)]));
}

/** Go on with a batch that was begun before: on this page, on another machine, or by `tomarium push`. */
async function goOn(id: string): Promise<void> {
  const files = (await ask("GET", `${begin}/${id}`)).files as Known[];
  const kept = JSON.parse(sessionStorage.getItem(id) ?? "{}") as Record<string, string>;
  for (const [name, text] of Object.entries(kept)) {
    const field = form.elements.namedItem(name);
    if (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement) field.value = text;
  }
  keep(id);
  queue.knows(files);
  const whole = files.filter((one) => one.offset === one.bytes).length;
  const slip = part("going-on");
  slip.textContent = files.length
    ? t("%(number)s of %(count)s files are there. Choose the same files or the same folder again: only what lacks is sent.", { number: count(whole), count: count(files.length) })
    : t("Its files are there. Say what it is, and make the draft.");
  slip.hidden = false;
  slip.scrollIntoView({ block: "nearest" });
}

/** Put the button that goes on with it beside each batch under way. */
function offerToGoOn(): void {
  for (const item of document.querySelectorAll<HTMLElement>("[data-batch]")) {
    const { batch: id, state } = item.dataset;
    if (!id || state === "waiting" || state === "running") continue;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = t("Go on with it");
    button.addEventListener("click", () => void goOn(id).catch((error: Error) => trouble(error.message)));
    item.querySelector("form")!.prepend(button);
  }
}

function listen(): void {
  for (const id of ["choose-files", "choose-folder"]) {
    const input = part<HTMLInputElement>(id);
    input.addEventListener("change", () => {
      take(ofInput(input));
      input.value = ""; // the same may be chosen again
    });
  }
  const drop = part("drop");
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer) void ofDrop(event.dataTransfer).then(take, (error: Error) => trouble(error.message));
  });
  part("pause").addEventListener("click", () => {
    pace.reset();
    trouble("");
    if (queue.paused) queue.resume();
    else queue.pause();
  });
  part("again").addEventListener("click", () => queue.again());
  form.addEventListener("input", () => batch && sessionStorage.setItem(batch, JSON.stringify(fields())));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!batch && !queue.transfers.size) return void result(t("Choose files first."), "warn");
    if (queue.of("failed").length) return void result(t("Some files failed: try them again, or leave them out."), "warn");
    if (!queue.of("sending", "retrying", "waiting").length) return void finish();
    wanted = true;
    result(t("The draft is made as soon as all files are there; keep this page open."));
  });
  window.addEventListener("online", () => queue.hurry());
  window.addEventListener("beforeunload", (event) => {
    if (queue.of("sending", "retrying").length) event.preventDefault();
  });
  setInterval(() => queue.of("sending", "retrying").length && show(), 500);
}

root.hidden = false;
offerToGoOn();
listen();
show();
if (batch) void goOn(batch).catch(() => keep("")); // it is no longer there
