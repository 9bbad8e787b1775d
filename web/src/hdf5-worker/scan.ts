// What a file looks like: NXtomo or Data Exchange, by the tables of the readers in Python that the page brings.
import h5wasm, { ExternalLink, type Dataset, type File as Hdf5File, type Group } from "h5wasm";
import type { Fact, Layouts, Looks } from "../shared/hdf5-file";
import { reading, typeOf, unreadable } from "./look";

const MOST_LINKS = 5000; // members that are looked at
const MOST = 1 << 20; // numbers of a list of angles or of image keys

/** Tell what a file looks like, and which numbers of a scan it lacks. */
export function looksLike(file: Hdf5File, layouts: Layouts): Looks {
  const found = new Finder(file, layouts);
  const looks = nxtomo(found) ?? dataExchange(found) ?? found.looks;
  const elsewhere = leadsTo(found);
  if (elsewhere.length) {
    looks.notes.push(`It leads to other files, which were not chosen with it: ${elsewhere.slice(0, 5).join(", ")}. Choose the folder of the scan to see them too.`);
  }
  return looks;
}

/** Name the files that a file leads to by its links and that are not there. */
function leadsTo(found: Finder): string[] {
  const names = new Set<string>();
  let left = MOST_LINKS;
  const walk = (path: string, depth: number): void => {
    for (const name of found.group(path)?.keys() ?? []) {
      if (left-- < 0) return;
      const node = found.file.get(`${path}/${name}`);
      if (node instanceof ExternalLink) names.add(String(node.filename));
      else if (node instanceof h5wasm.Group && depth < 4) walk(`${path}/${name}`, depth + 1);
    }
  };
  walk("", 0);
  return [...names];
}

/** Finds nodes and numbers in a file, and notes what is doubtful. */
class Finder {
  readonly looks: Looks = {
    layout: "", entry: "", data: "", counts: [], shape: [], type: "", angles: null, facts: [], missing: [], notes: [],
  };

  constructor(
    readonly file: Hdf5File,
    readonly layouts: Layouts,
  ) {}

  group(path: string): Group | null {
    const node = path ? this.file.get(path) : (this.file as Group);
    return node instanceof h5wasm.Group ? node : null;
  }

  dataset(path: string): Dataset | null {
    const node = this.file.get(path);
    return node instanceof h5wasm.Dataset ? node : null;
  }

  /** List the groups in a group, each with its path. */
  groups(path: string): [string, Group][] {
    const names = this.group(path)?.keys() ?? [];
    return names.flatMap((name) => {
      const child = this.group(`${path}/${name}`);
      return child ? [[`${path}/${name}`, child] as [string, Group]] : [];
    });
  }

  /** Spell a path out whose parts may end in "*", a group that may be numbered: the first one that is there. */
  spelled(path: string): string | null {
    let here = "";
    for (const part of path.split("/").filter(Boolean)) {
      let name = part;
      if (part.endsWith("*")) {
        const word = part.slice(0, -1);
        const numbered = (this.group(here)?.keys() ?? []).filter((one) => new RegExp(`^${word}_?\\d*$`).test(one));
        if (!numbered.length) return null;
        name = numbered.sort((a, b) => a.length - b.length || (a < b ? -1 : 1))[0]!;
      }
      here += `/${name}`;
    }
    return here;
  }

  /** Read a short text. */
  text(path: string): string {
    const data = this.dataset(path);
    if (!data || data.metadata.type !== 3 || data.metadata.total_size !== 1) return "";
    const value = this.values(data);
    return value.length ? String(value[0]) : "";
  }

  attribute(node: Group | Dataset, name: string): string {
    if (!node.attrs[name]) return "";
    const value = node.attrs[name].value;
    return String(Array.isArray(value) ? value[0] : (value ?? "")).trim();
  }

  /** Read a list of numbers; null where there is none that can be read here. */
  numbers(path: string): number[] | null {
    const data = this.dataset(path);
    if (!data || data.metadata.type > 1 || data.metadata.total_size > MOST) return null;
    const trouble = unreadable(this.file, data);
    if (trouble) {
      this.looks.notes.push(`${path}: ${trouble}`);
      return null;
    }
    return this.values(data).map(Number);
  }

  private values(data: Dataset): unknown[] {
    try {
      const value = reading(() => data.value);
      return typeof value === "object" && value !== null ? [...(value as Iterable<unknown>)] : [value];
    } catch {
      this.looks.notes.push(`${data.path} cannot be read.`);
      return [];
    }
  }

  /** Read the first quantity of some places that is a finite number with a unit; `standard` is that of one without. */
  quantity(paths: (string | null)[], unit: string, standard: string): Omit<Fact, "name"> | null {
    for (const path of paths) {
      const data = path ? this.dataset(path) : null;
      if (!data || !data.metadata.total_size || data.metadata.total_size > MOST || ![0, 1, 3].includes(data.metadata.type)) continue;
      const [number] = this.values(data).map((value) => (String(value).trim() === "" ? NaN : Number(value)));
      const written = this.attribute(data, "units") || this.attribute(data, "unit");
      const spelled = this.layouts.noUnit.includes(written.toLowerCase()) ? standard : written;
      const known = this.layouts.units[spelled];
      if (number === undefined || !Number.isFinite(number)) this.looks.notes.push(`${path} was left out: it holds no finite number`);
      else if (!spelled) this.looks.notes.push(`${path} has no unit and was left out: ${number}`);
      else if (!known || known[0] !== unit) this.looks.notes.push(`${path} was left out: its unit “${spelled}” is none of ${unit} that is known here`);
      else return { value: number * known[1], unit, from: path! };
    }
    return null;
  }

  /** Keep a number that must be above zero, or say that it is missing. */
  fact(name: string, told: Omit<Fact, "name"> | null): void {
    if (told && told.value > 0) this.looks.facts.push({ name, ...told });
    else {
      if (told) this.looks.notes.push(`${told.from} was left out: ${told.value} ${told.unit} cannot be`);
      this.looks.missing.push(name);
    }
  }

  /** Keep the angles of the projections, in degrees where their unit is known. */
  angles(values: number[], path: string): void {
    const data = this.dataset(path)!;
    const written = this.attribute(data, "units");
    const known = this.layouts.units[written];
    const factor = known?.[0] === "deg" ? known[1] : 1;
    if (values.length) {
      const [first, last] = [values[0]! * factor, values.at(-1)! * factor];
      this.looks.angles = { first, last, count: values.length, unit: known?.[0] === "deg" ? "°" : "", from: path };
    }
  }

  frames(data: Dataset, path: string): void {
    const { shape } = data.metadata;
    this.looks.data = path;
    this.looks.shape = (shape ?? []).slice(-2);
    this.looks.type = typeOf(data);
    const trouble = unreadable(this.file, data);
    if (trouble) this.looks.notes.push(`${path}: ${trouble}`);
  }
}

type Place = { entry: string; parent: string; detector: string };

function nxtomo(found: Finder): Looks | null {
  const tables = found.layouts.nxtomo;
  const groups = found.groups("").flatMap(([path, group]) => [
    { path, parent: "", group },
    ...found.groups(path).filter(([, child]) => child.keys().some((name) => name === "instrument" || name === "definition"))
      .map(([below, child]) => ({ path: below, parent: path, group: child })),
  ]);
  const defined = groups.filter(({ path, group }) => definition(found, path, group) === "NXtomo");
  const places = (defined.length ? defined : groups).flatMap(({ path, parent }) => detectorOf(found, path, parent, defined.length > 0) ?? []);
  const place = places[0];
  if (!place) return null;
  const at = (templates: string[]) => templates.map((template) => filled(template, place));
  const keyPath = at(tables.imageKey).find((path) => found.numbers(path)?.length)!;
  const kinds = found.numbers(keyPath)!.map((code) => found.layouts.kinds[String(Math.round(code))] ?? "unknown");
  const looks = found.looks;
  looks.layout = tables.title;
  looks.entry = place.entry;
  if (places.length > 1) looks.notes.push(`The file holds ${places.length} scans; this is ${place.entry}.`);
  for (const kind of new Set(["projection", "flat", "dark", ...kinds])) {
    const count = kinds.filter((one) => one === kind).length;
    if (count) looks.counts.push([count === 1 || kind === "unknown" || kind === "invalid" ? kind : `${kind}s`, count]);
    else looks.missing.push(`${kind}s`);
  }
  const dataPath = at(tables.data).find((path) => found.dataset(path));
  if (dataPath) {
    const data = found.dataset(dataPath)!;
    found.frames(data, dataPath);
    const frames = data.metadata.shape?.[0] ?? 0;
    if (frames !== kinds.length) looks.notes.push(`${dataPath} holds ${frames} frames, its image_key ${kinds.length}.`);
  } else looks.notes.push("The frames lie in another file, or are not there: choose all files of the scan together.");
  const projections = kinds.map((kind) => kind === "projection");
  const count = projections.filter(Boolean).length;
  for (const path of at(tables.angles)) {
    const values = found.numbers(path);
    if (!values?.length) continue;
    const chosen = values.length >= kinds.length ? values.slice(0, kinds.length).filter((_, at) => projections[at]) : values;
    if (chosen.length !== count || !chosen.some(Boolean)) continue;
    found.angles(chosen, path);
    break;
  }
  if (!looks.angles) looks.missing.push("rotation angles");
  found.fact("pixel size", found.quantity(at(tables.pixel), "m", ""));
  found.fact("energy", found.quantity(at(tables.energy), "keV", ""));
  found.fact("distance", found.quantity(at(tables.distance), "m", ""));
  return looks;
}

/** Read the definition of a group, with a misspelling that files carry and what NeXus of before 2006 wrote. */
function definition(found: Finder, path: string, group: Group): string {
  return (
    found.text(`${path}/definition`) || found.attribute(group, "definition") || found.attribute(group, "defination") ||
    found.text(`${path}/analysis`)
  );
}

/** Find the detector of a group that may be a scan. */
function detectorOf(found: Finder, entry: string, parent: string, defined: boolean): Place | null {
  const tables = found.layouts.nxtomo;
  for (const [detector, group] of found.groups(`${entry}/instrument`)) {
    const name = detector.split("/").at(-1)!;
    const place = { entry, parent, detector };
    if (!defined && !group.keys().includes("image_key")) continue;
    if (found.attribute(group, "NX_class") !== "NXdetector" && !name.startsWith("detector")) continue;
    const key = tables.imageKey.map((template) => found.numbers(filled(template, place))).find((one) => one?.length);
    if (!key) continue;
    const data = tables.data.map((template) => found.dataset(filled(template, place))).find(Boolean);
    const fits = data?.metadata.shape?.length === 3 && data.metadata.shape[0] === key.length;
    if (defined || fits) return place;
  }
  return null;
}

function filled(template: string, { entry, parent, detector }: Place): string {
  const name = detector.split("/").at(-1)!;
  return template.replace("{entry}", entry).replace("{parent}", parent).replace("{detector}", detector).replace("{name}", name);
}

function dataExchange(found: Finder): Looks | null {
  const tables = found.layouts.dataExchange;
  const data = found.dataset("/exchange/data");
  if (!data || data.metadata.shape?.length !== 3) return null;
  const looks = found.looks;
  looks.layout = tables.title;
  looks.entry = "/exchange";
  found.frames(data, "/exchange/data");
  const axes = found.attribute(data, "axes").replaceAll(",", ":").replaceAll(" ", "").split(":");
  if (axes.join(":") === "z:y:x") looks.notes.push("Its axes z:y:x are those of a volume that was reconstructed, not of a scan.");
  const theta = axes.findIndex((axis) => /^(theta|angle)/.test(axis));
  const order = axes.length === 3 && theta >= 0 && axes.includes("x") && axes.includes("y");
  const shape = data.metadata.shape;
  const count = order ? shape[theta]! : shape[0]!;
  if (order) looks.shape = [shape[axes.indexOf("y")]!, shape[axes.indexOf("x")]!];
  looks.counts.push(["projections", count]);
  for (const [word, name] of [["flats", "data_white"], ["darks", "data_dark"]] as const) {
    const stacks = ["_pre", "", "_post"].map((suffix) => found.dataset(`/exchange/${name}${suffix}`)?.metadata.shape);
    const total = stacks.reduce((sum, stack) => sum + (!stack ? 0 : stack.length === 2 ? 1 : (stack[0] ?? 0)), 0);
    if (total) looks.counts.push([word, total]);
    else looks.missing.push(word);
  }
  const angles = found.numbers("/exchange/theta");
  const rotation = tables.rotation.map((names) => names.map((name) => found.spelled(name)));
  if (angles?.length) found.angles(angles, "/exchange/theta");
  else if (rotation.some(([start, step]) => start && step && found.dataset(start) && found.dataset(step))) {
    looks.notes.push("There is no theta; the angles follow from the start and the step of the rotation.");
  } else looks.missing.push("rotation angles");
  const below = (paths: string[]) => paths.map((path) => found.spelled(`/measurement*/${path}`));
  let pixel = found.quantity(below(tables.pixel), "m", "m");
  if (!pixel) {
    pixel = found.quantity(below(tables.detectorPixel), "m", "m");
    const scale = below(tables.magnification).map((path) => path && magnification(found, path)).find(Boolean);
    if (pixel && scale) pixel = { ...pixel, value: pixel.value / scale, from: `${pixel.from}, divided by the magnification ${scale}` };
  }
  found.fact("pixel size", pixel);
  const energies = below(tables.energy).map((path) => found.quantity([path], "keV", "J"));
  found.fact("energy", energies.find((one) => one && one.value > 0 && one.value <= tables.highestKev) ?? null);
  found.fact("distance", found.quantity(below(tables.distance), "m", "m"));
  return looks;
}

/** Read a magnification, which beamlines also write as "5x". */
function magnification(found: Finder, path: string): number {
  const number = found.numbers(path)?.[0] ?? Number.parseFloat(found.text(path));
  return number > 0 ? number : 0;
}
