// The search of a site of files: words, facets and ranges of the address, answered from the index beside the pages.
interface Entry {
  id: string; title: string; creators: string[]; created: string; text: string; words: string;
  facets: [string, string][]; numbers: Record<string, number>; thumbnail: string; licence: string; bytes: number;
}
interface Index { facets: Record<string, string>; records: Entry[] }

const UNITS: Record<string, number> = {
  nm: 1e-9, um: 1e-6, "µm": 1e-6, "μm": 1e-6, mm: 1e-3, cm: 1e-2, m: 1, ev: 1e-3, kev: 1, mev: 1e3,
};
const index = (window as unknown as { tomariumSearch?: Index }).tomariumSearch;
const asked = new URLSearchParams(location.search);

/** Small letters without accents, as the words of the index are compared. */
function plain(text: string): string {
  return text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
}

/** The terms of a question: words, and what stands “in quotes” as one. */
function terms(question: string): string[] {
  return [...plain(question).matchAll(/["“”]([^"“”]+)["“”]|(\S+)/g)]
    .map((found) => (found[1] ?? found[2] ?? "").trim()).filter(Boolean);
}

/** A range such as "<1um", "20..60keV", "20keV", as its ends in m or keV; null where it is none. */
function range(text: string): [number, number] | null {
  const number = (part: string, unit: string): number | null => {
    const found = /^([\d.]+(?:e[-+]?\d+)?)\s*([a-zµμ]*)$/i.exec(part.trim());
    const factor = UNITS[(found?.[2] || unit).toLowerCase()];
    return found && factor !== undefined ? Number(found[1]) * factor : null;
  };
  const unit = /([a-zµμ]*)\s*$/i.exec(text)?.[1] ?? "";
  const between = text.split("..");
  if (between.length === 2) {
    const [low, high] = between.map((part) => number(part, unit));
    return low == null || high == null ? null : [low, high];
  }
  const found = /^\s*(<=?|>=?)?(.*)$/.exec(text);
  const value = number(found?.[2] ?? "", unit);
  if (value === null) return null;
  if (!found?.[1]) return [value * (1 - 1e-6), value * (1 + 1e-6)];
  return found[1].startsWith("<") ? [-Infinity, value] : [value, Infinity];
}

/** Everything in which the words of a question are looked for. */
function haystack(one: Entry): string {
  return plain([one.id, one.title, ...one.creators, one.text, one.words, ...one.facets.map((f) => f[1])].join(" "));
}

/** Tell whether a word of the text begins with the term. */
function holds(text: string, term: string): boolean {
  for (let at = text.indexOf(term); at >= 0; at = text.indexOf(term, at + 1)) {
    if (at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1] ?? "")) return true;
  }
  return false;
}

/** An element with a class and what it holds; texts are never read as HTML. */
function make(name: string, cls: string, ...inside: (Node | string)[]): HTMLElement {
  const element = document.createElement(name);
  if (cls) element.className = cls;
  element.append(...inside);
  return element;
}

/** The card of a record, as the list has it. */
function card(one: Entry): HTMLElement {
  const link = document.createElement("a");
  link.href = `${encodeURIComponent(one.id)}/index.html`;
  link.append(one.title);
  const picture = make("span", one.thumbnail ? "card-picture" : "card-picture withheld");
  if (one.thumbnail) {
    const image = new Image(512, 512);
    image.loading = "lazy";
    image.alt = "";
    image.src = `../${one.thumbnail.split("/").map(encodeURIComponent).join("/")}`;
    picture.append(image);
  } else picture.append(make("span", "", "No picture"));
  const day = new Date(one.created).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  const by = one.creators.length ? `${one.creators.join(", ")} · ${day}` : day;
  const badges = make("p", "badges");
  if (one.licence) badges.append(make("span", "badge", one.licence));
  return make("li", "card", picture, make("div", "card-label",
    make("span", "number", one.id), make("h2", "", link), make("p", "quiet", by), make("p", "extra", one.text), badges));
}

/** Show what the address asks for in place of the list of all records. */
function show(all: Index): void {
  const question = asked.get("q") ?? "";
  const wanted = terms(question);
  const facets = Object.keys(all.facets).map((name) => [name, asked.getAll(name).filter(Boolean)] as const)
    .filter(([, values]) => values.length);
  const ranges: [string, [number, number]][] = [];
  const wrong: string[] = [];
  for (const [name, text] of asked) {
    if (!text || name in all.facets || ["q", "sort", "limit", "facets"].includes(name)) continue;
    const read = name === "pixel" || name === "energy" ? range(text) : null;
    if (read) ranges.push([name, read]);
    else wrong.push(`${name} = ${text}`);
  }
  for (const field of document.querySelectorAll<HTMLInputElement>("input[name]")) {
    const values = asked.getAll(field.name);
    if (field.type === "checkbox") field.checked = values.includes(field.value);
    else if (values.length) field.value = values[0] ?? "";
  }
  if (!wanted.length && !facets.length && !ranges.length && !wrong.length) return;
  const found = wrong.length ? [] : all.records.filter((one) => {
    const text = haystack(one);
    return wanted.every((term) => holds(text, term))
      && facets.every(([name, values]) => (name === "state" ? values.includes("published")
        : one.facets.some((f) => f[0] === name && values.includes(f[1]))))
      && ranges.every(([name, [low, high]]) => {
        const value = one.numbers[name];
        return value !== undefined && value >= low && value <= high;
      });
  });
  const title = document.querySelector("h1");
  if (title) title.textContent = question.trim() ? `Search for “${question}”` : "Records found";
  const told = document.querySelector<HTMLElement>(".page-head .quiet");
  if (told) {
    told.setAttribute("role", "status");
    told.textContent = wrong.length
      ? `Cannot be asked here: ${wrong.join(", ")}. Ask pixel=<1um, energy=20..60keV, words and filters.`
      : found.length ? `${found.length} record${found.length === 1 ? "" : "s"}` : "No record has all of this";
  }
  const list = document.querySelector("#found");
  if (!list) return;
  const every = document.createElement("a");
  every.href = "index.html";
  every.textContent = "All records";
  const open = list.querySelector(".facets-open");
  list.replaceChildren(...(open ? [open] : []), make("ul", "cards cards-wide", ...found.map(card)), make("p", "", every));
}

if (index) show(index);

export {}; // a module, whose names are its own
