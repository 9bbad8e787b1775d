// The page of meshes and prints: the body is shown anew as the threshold changes, and how far a worker is. Without this
// script a button shows the body, and a link looks again.
const QUIET_MS = 350;
const EVERY_MS = 2000;

const form = document.querySelector<HTMLFormElement>("#body");
const asked: Record<string, number> = {};

/** Fetch this page and put one of its elements in the place of the one that is shown; what was asked for last counts. */
async function renew(address: string, id: string): Promise<boolean> {
  const number = asked[id] = (asked[id] ?? 0) + 1;
  const answer = await fetch(address, { headers: { Accept: "text/html" }, cache: "no-store" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(id);
  const shown = document.getElementById(id);
  if (number !== asked[id] || !answer.ok || !fresh || !shown) return false;
  if (fresh.innerHTML !== shown.innerHTML) shown.replaceWith(document.adoptNode(fresh));
  return true;
}

/** The address of the page with what the form says; what is empty is left out. */
function told(): string {
  const said = new URLSearchParams();
  for (const [name, text] of new FormData(form ?? undefined)) if (text) said.set(name, String(text));
  return `${location.pathname}${said.size ? `?${said}` : ""}`;
}

/** Show the body of what the form says, and have the two other forms ask for it. */
async function show(): Promise<void> {
  const address = told();
  if (!await renew(address, "seen")) return;
  history.replaceState(null, "", address);
  const said = new FormData(form ?? undefined);
  for (const one of document.querySelectorAll<HTMLInputElement>("form.make input[type=hidden]")) {
    one.value = String(said.get(one.name) ?? "");
  }
}

let timer = 0;
function soon(): void {
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void show().catch(() => undefined), QUIET_MS);
}

form?.addEventListener("input", soon);
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  void show().catch(() => form.submit());
});

// A click on the histogram is the threshold.
document.addEventListener("click", (event) => {
  const plot = (event.target as Element).closest<HTMLElement>("#seen .hist");
  const input = document.querySelector<HTMLInputElement>("#threshold");
  if (!plot || !input) return;
  const place = plot.getBoundingClientRect();
  const [low, high] = [Number(plot.dataset.low), Number(plot.dataset.high)];
  input.value = (low + ((event.clientX - place.left) / place.width) * (high - low)).toPrecision(4);
  soon();
});

/** Look how far the worker is, as long as something waits or is being made. */
async function watch(): Promise<void> {
  if (!document.querySelector("#jobs [data-state=waiting], #jobs [data-state=running]")) return;
  await new Promise((go) => window.setTimeout(go, EVERY_MS));
  if (!document.hidden) await renew(location.href, "asked").catch(() => false);
  void watch();
}
void watch();

export {}; // a module, whose names are its own
