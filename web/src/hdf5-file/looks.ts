// What a file looks like, in words: the layout, the frames, the numbers of the scan, and what is missing.
import type { Looks } from "../shared/hdf5-file";
import { bit } from "./bits";

const SMALLER: Record<string, [string, number][]> = {
  m: [["m", 1], ["mm", 1e-3], ["µm", 1e-6], ["nm", 1e-9]],
  keV: [["keV", 1]],
};

/** Show a number in the unit in which people say it. */
export function quantity(value: number, unit: string): string {
  const steps = SMALLER[unit] ?? [[unit, 1]];
  const [word, factor] = steps.find(([, size]) => Math.abs(value) >= size) ?? steps.at(-1)!;
  return `${Number((value / factor).toPrecision(5))}\u00a0${word}`;
}

/** Say what a file looks like. */
export function describe(looks: Looks): HTMLElement {
  const section = bit("section", { class: "looks", "aria-label": "What it looks like" });
  if (!looks.layout) {
    section.append(bit("p", {}, "This is none of the layouts of scans that this page knows (NXtomo, Data Exchange). The portal knows further ones, and looks when the file is there."), ...notes(looks));
    return section;
  }
  const of = looks.entry === "/exchange" ? "" : ` in ${looks.entry}`;
  section.append(bit("p", {}, "This looks like ", bit("b", {}, looks.layout), `${of}.`));
  const rows: [string, string, string][] = [];
  const frames = looks.shape.length ? ` of ${looks.shape[0]} × ${looks.shape[1]} pixels, ${looks.type}` : "";
  rows.push(["Frames", looks.counts.map(([word, count]) => `${count.toLocaleString("en").replaceAll(",", "\u202f")} ${word}`).join(", ") + frames, looks.data]);
  if (looks.angles) {
    const { first, last, count, unit, from } = looks.angles;
    const spelled = (angle: number) => `${Number(angle.toPrecision(6))}${unit}`;
    rows.push(["Angles", `${count}, from ${spelled(first)} to ${spelled(last)}${unit ? "" : " (no unit is told)"}`, from]);
  }
  for (const { name, value, unit, from } of looks.facts) rows.push([name[0]!.toUpperCase() + name.slice(1), quantity(value, unit), from]);
  const list = bit("dl", { class: "pairs" });
  for (const [name, words, from] of rows) {
    list.append(bit("div", {}, bit("dt", {}, name), bit("dd", {}, words, from ? bit("small", { class: "quiet" }, from) : "")));
  }
  section.append(list);
  if (looks.missing.length) section.append(bit("div", { class: "slip warn" }, bit("p", {}, bit("b", {}, "Missing: "), `${looks.missing.join(", ")}.`)));
  section.append(...notes(looks));
  return section;
}

function notes(looks: Looks): HTMLElement[] {
  return looks.notes.slice(0, 10).map((note) => bit("p", { class: "quiet small" }, note));
}
