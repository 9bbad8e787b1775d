// Images of microscopes: what a reader does is sent to the page, and what it answers is put in its place.
// Without this script the same fields, links and buttons do the same.
import { t } from "../shared/words";

let asked = 0;
let waiting = 0;
let keep = false;

enrich();

export {};

/** Fetch the page with other choices, and exchange the parts that show the image and its metadata. */
async function show(address: URL): Promise<void> {
  const mine = ++asked;
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (mine !== asked) return; // a later wish is on its way
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok) {
    tell(fresh.querySelector("main p")?.textContent ?? t("The page cannot be fetched."));
    return;
  }
  const picture = fresh.querySelector<HTMLImageElement>("#images .image-map img");
  if (picture) await loaded(picture.src);
  if (mine !== asked) return;
  const focused = document.activeElement instanceof HTMLInputElement ? document.activeElement : null;
  const held = focused && { name: focused.name, section: focused.closest("section")?.id, text: focused.value };
  for (const id of ["images", "metadata"]) {
    const [old, next] = [document.getElementById(id), fresh.getElementById(id)];
    if (old && next) old.replaceWith(document.adoptNode(next));
  }
  history.replaceState(null, "", address.pathname + address.search + location.hash);
  if (held?.name) {
    const again = document.querySelector<HTMLInputElement>(`#${held.section} input[name="${held.name}"]`);
    again?.focus();
    if (again?.type === "search") again.setSelectionRange(held.text.length, held.text.length);
  }
  enrich();
}

function tell(words: string): void {
  const place = document.querySelector(".images");
  place?.querySelector("[role=alert]")?.remove();
  const told = document.createElement("p");
  told.className = "image-groups";
  told.setAttribute("role", "alert");
  told.textContent = words;
  place?.prepend(told);
}

function loaded(source: string): Promise<void> {
  return new Promise((done) => {
    const picture = new Image();
    picture.onload = picture.onerror = () => done();
    picture.src = source;
  });
}

/** The address of a form with what stands in its fields. */
function addressOf(form: HTMLFormElement): URL {
  const address = new URL(form.getAttribute("action")!, location.href);
  for (const [name, value] of new FormData(form)) if (value !== "") address.searchParams.set(name, String(value));
  return address;
}

function enrich(): void {
  const form = document.querySelector<HTMLFormElement>("#images-form");
  const search = document.querySelector<HTMLFormElement>(".original-search");
  for (const one of [form, search]) {
    one?.addEventListener("submit", (event) => {
      event.preventDefault();
      void show(addressOf(one));
    });
  }
  const soon = (one: HTMLFormElement) => {
    clearTimeout(waiting);
    waiting = window.setTimeout(() => void show(addressOf(one)), 250);
  };
  search?.querySelector("input[type=search]")?.addEventListener("input", () => soon(search));
  for (const field of form?.elements ?? []) {
    if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) {
      const kind = field.type;
      field.addEventListener(kind === "range" || kind === "color" ? "input" : "change", () => soon(form!));
    }
  }
  for (const link of document.querySelectorAll<HTMLAnchorElement>("#images a:not(.take), #metadata a[rel], #metadata .try a")) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      void show(new URL(link.href));
    });
  }
  const map = document.querySelector<HTMLElement>(".image-map[data-rows]");
  if (form && map) pixels(form, map);
  const plot = document.querySelector<HTMLElement>(".image-plot[data-band]");
  if (form && plot) bands(form, plot);
  document.getElementById("images")?.setAttribute("data-state", "ready");
}

const field = (form: HTMLFormElement, name: string) => form.elements.namedItem(name) as HTMLInputElement;

/** A click in the map, or the arrow keys, choose the pixel whose spectrum is shown. */
function pixels(form: HTMLFormElement, map: HTMLElement): void {
  const count = { column: Number(map.dataset["columns"]), row: Number(map.dataset["rows"]) };
  const choose = (column: number, row: number) => {
    field(form, "column").value = String(Math.max(0, Math.min(count.column - 1, column)));
    field(form, "row").value = String(Math.max(0, Math.min(count.row - 1, row)));
    void show(addressOf(form));
  };
  map.tabIndex = 0;
  map.setAttribute("role", "application");
  map.setAttribute("aria-label", t("Map. A click or the arrow keys choose a pixel, Escape all of them."));
  map.addEventListener("click", (event) => {
    const box = map.querySelector("img")!.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    if (x < 0 || y < 0 || x >= 1 || y >= 1) return;
    choose(Math.floor(x * count.column), Math.floor(y * count.row));
  });
  map.addEventListener("keydown", (event) => {
    const far = event.shiftKey ? 10 : 1;
    const by = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }[event.key];
    if (event.key === "Escape") {
      field(form, "column").value = field(form, "row").value = "";
      keep = true;
      void show(addressOf(form));
    } else if (by) {
      const text = { column: field(form, "column").value, row: field(form, "row").value };
      const at = (name: "column" | "row") => (text[name] === "" ? Math.floor(count[name] / 2) : Number(text[name]));
      keep = true;
      choose(at("column") + by[0]!, at("row") + by[1]!);
    } else return;
    event.preventDefault();
  });
  if (keep) map.focus(); // the map was exchanged under the keys
  keep = false;
}

/** A drag along the spectrum chooses a band, whose sum becomes a map. */
function bands(form: HTMLFormElement, plot: HTMLElement): void {
  const [low, high] = [Number(plot.dataset["low"]), Number(plot.dataset["high"])];
  const line = plot.querySelector<SVGSVGElement>(".image-line")!;
  const at = (event: PointerEvent) => {
    const box = line.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
  };
  const shade = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  shade.setAttribute("class", "image-band");
  shade.setAttribute("height", "400");
  let start: number | null = null;
  plot.addEventListener("pointerdown", (event) => {
    start = at(event);
    plot.setPointerCapture(event.pointerId);
    line.prepend(shade);
  });
  plot.addEventListener("pointermove", (event) => {
    if (start === null) return;
    const end = at(event);
    shade.setAttribute("x", String(1000 * Math.min(start, end)));
    shade.setAttribute("width", String(1000 * Math.abs(end - start)));
  });
  plot.addEventListener("pointerup", (event) => {
    if (start === null) return;
    const ends = [start, at(event)].sort((a, b) => a - b).map((part) => low + part * (high - low));
    const wide = ends[1]! - ends[0]! > (high - low) / 400;
    start = null;
    if (!wide) return shade.remove();
    field(form, "from").value = String(Number(ends[0]!.toPrecision(5)));
    field(form, "to").value = String(Number(ends[1]!.toPrecision(5)));
    void show(addressOf(form));
  });
  plot.addEventListener("pointercancel", () => { start = null; shade.remove(); });
}
