// The live page: ages that count, and what is new as soon as the watch has it. Without this script it is renewed
// every 15 seconds.
import { t } from "../shared/words";

const LOST_MS = 25_000;
const SECOND = 1000;

let begun = performance.now();
let heard = performance.now();

/** Say how long something is ago, as the page's own words do. */
function age(seconds: number): string {
  if (seconds < 100) return `${seconds.toFixed(0)} s`;
  if (seconds < 6000) return `${(seconds / 60).toFixed(0)} min`;
  return seconds < 172_800 ? `${(seconds / 3600).toFixed(0)} h` : t("%(days)s days", { days: (seconds / 86_400).toFixed(0) });
}

/** Count the ages on from what the server said; its clock and this one are never compared. */
function count(): void {
  const since = (performance.now() - begun) / SECOND;
  for (const place of document.querySelectorAll<HTMLElement>("[data-age]")) {
    const text = age(Number(place.dataset.age) + since);
    if (place.textContent !== text) place.textContent = text;
  }
  document.getElementById("live")?.classList.toggle("lost", performance.now() - heard > LOST_MS);
}

let asking = false;
let again = false;

/** Fetch the page and put what it shows in the place of what is shown. */
async function renew(): Promise<void> {
  if (asking) { again = true; return; }
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    const shown = document.getElementById("live");
    if (!fresh || !shown) return;
    const open = new Set([...shown.querySelectorAll("details[open]")].map((one) => one.parentElement?.firstElementChild?.textContent));
    const focus = document.activeElement instanceof HTMLAnchorElement ? document.activeElement.getAttribute("href") : null;
    fresh.classList.add("heard");
    shown.replaceWith(document.adoptNode(fresh));
    for (const one of fresh.querySelectorAll("details")) {
      one.open = open.has(one.parentElement?.firstElementChild?.textContent);
    }
    if (focus) [...fresh.querySelectorAll("a")].find((one) => one.getAttribute("href") === focus)?.focus({ preventScroll: true });
    document.title = page.title;
    begun = heard = performance.now();
    count();
  } catch {
    // The server is away; the events tell when it is back.
  } finally {
    asking = false;
    if (again) { again = false; void renew(); }
  }
}

const live = document.getElementById("live");
if (live?.dataset.events) {
  live.classList.add("heard");
  const events = new EventSource(live.dataset.events); // its address tells what the page shows: all events are new
  events.addEventListener("open", () => { heard = performance.now(); });
  events.addEventListener("changed", () => {
    heard = performance.now();
    void renew();
  });
  setInterval(() => {
    if (events.readyState === EventSource.OPEN) heard = performance.now();
    count();
  }, SECOND);
}
