// What is told of a group or a dataset, and pictures of slices.
import h5wasm, { FS, Module, type Dataset, type File as Hdf5File, type Group } from "h5wasm";
import { FILTERS, type Member, type Node, type Picture, type Values } from "../shared/hdf5-file";

const MEMBERS = 500;
const ROWS = 20;
const COLUMNS = 8;
const LETTERS = 300;
const LARGEST = 1024; // pixels of a picture's longer side
const AT_ONCE = 64 << 20; // values read for a picture; a larger one is read in steps
const BUILT_IN = new Set([1, 2, 3, 4, 5, 6]); // deflate, shuffle, Fletcher's sum, szip, nbit, scale and offset

type Numbers = ArrayLike<number | bigint>;

/** Tell what is at a path. */
export function nodeAt(file: Hdf5File, path: string): Node {
  const entity = path === "/" ? (file as Group) : file.get(path);
  if (!entity || !("attrs" in entity)) throw new Error(`There is no group or dataset ${path}.`);
  const node: Node = {
    path, kind: "group", type: "", shape: null, attributes: attributesOf(entity), members: [], leftOut: 0,
    filters: [], pictures: 0, trouble: "",
  };
  if (entity instanceof h5wasm.Group) {
    const names = entity.keys();
    node.members = names.slice(0, MEMBERS).map((name) => member(file, path, name));
    node.leftOut = Math.max(0, names.length - MEMBERS);
  } else if (entity instanceof h5wasm.Dataset) {
    describe(node, entity, file);
  }
  return node;
}

/** Say why a dataset's values cannot be read here, "" where they can. */
export function unreadable(file: Hdf5File, data: Dataset): string {
  const unknown = data.filters.find(({ id }) => !BUILT_IN.has(id) && !FILTERS[id]);
  if (unknown) {
    const name = unknown.name ? ` (${unknown.name})` : "";
    return `Its values are compressed with the HDF5 filter ${unknown.id}${name}, which this page has not.`;
  }
  const elsewhere = new Set((data.metadata.virtual_sources ?? []).map((one) => one.file_name).filter((name) => name !== "."));
  const absent = [...elsewhere].filter((name) => !isThere(file, name));
  if (absent.length) return `Its values lie in other files, which were not chosen with this one: ${absent.slice(0, 5).join(", ")}.`;
  return "";
}

/** Tell whether a file that is named in another lies beside it. */
function isThere(file: Hdf5File, name: string): boolean {
  const folder = file.filename.slice(0, file.filename.lastIndexOf("/"));
  return (FS as any).analyzePath(name.startsWith("/") ? name : `${folder}/${name}`).exists;
}

/** Read values; what HDF5 cannot read is thrown, where else whatever the memory held before would be given. */
export function reading<T>(read: () => T): T {
  Module.activate_throwing_error_handler();
  try {
    return read();
  } finally {
    Module.deactivate_throwing_error_handler();
  }
}

function describe(node: Node, data: Dataset, file: Hdf5File): void {
  const { shape } = data.metadata;
  node.kind = "dataset";
  node.type = typeOf(data);
  node.shape = shape;
  node.trouble = unreadable(file, data);
  node.filters = node.trouble ? [] : data.filters.flatMap(({ id }) => FILTERS[id]?.[0] ?? []);
  if (node.trouble || !shape) return;
  const numeric = /^u?int\d+$|^float(32|64)$/.test(node.type);
  if (shape.length >= 2 && numeric && shape.at(-1)! > 1 && shape.at(-2)! > 1) {
    node.pictures = shape.slice(0, -2).reduce((product, length) => product * length, 1);
  }
}

/** Read the first values of a dataset of at most two axes; its filters must be there. */
export function valuesAt(file: Hdf5File, path: string): Values {
  const data = file.get(path);
  if (!(data instanceof h5wasm.Dataset)) throw new Error(`There is no dataset ${path}.`);
  const shape = data.metadata.shape;
  if (!shape || shape.length > 2 || shape.some((length) => length === 0)) return { rows: [], more: false };
  const [rows, columns] = [shape[0] ?? 1, shape[1] ?? 1];
  const taken = [Math.min(rows, ROWS), Math.min(columns, COLUMNS)];
  const read = reading(() => (shape.length ? data.slice(shape.map((_, axis) => [0, taken[axis]!])) : data.value));
  const flat = (shape.length ? [...(read as Iterable<unknown>)] : [read]).map(text);
  const cells = Array.from({ length: taken[0]! }, (_, row) => flat.slice(row * taken[1]!, (row + 1) * taken[1]!));
  return { rows: cells, more: taken[0]! < rows || taken[1]! < columns };
}

/** Draw a slice of a dataset: `index` counts the slices of all axes but the last two. */
export function pictureAt(file: Hdf5File, path: string, index: number): Picture {
  const data = file.get(path);
  if (!(data instanceof h5wasm.Dataset)) throw new Error(`There is no dataset ${path}.`);
  const shape = data.metadata.shape!;
  const [height, width] = [shape.at(-2)!, shape.at(-1)!];
  const before: [number, number][] = [];
  for (let axis = shape.length - 3, rest = index; axis >= 0; rest = Math.floor(rest / shape[axis]!), axis--) {
    const at = rest % shape[axis]!;
    before.unshift([at, at + 1]);
  }
  const step = Math.max(1, Math.ceil(Math.max(width, height) / LARGEST));
  const inSteps = width * height > AT_ONCE;
  const range = (length: number): [number, number, number] => [0, length, inSteps ? step : 1];
  const values = reading(() => data.slice([...before, range(height), range(width)])) as Numbers;
  const inRow = inSteps ? Math.ceil(width / step) : width;
  const every = inSteps ? 1 : step;
  const [rows, columns] = [Math.ceil(height / step), Math.ceil(width / step)];
  const shown = new Float64Array(rows * columns);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) shown[at++] = Number(values[row * every * inRow + column * every]);
  }
  const [low, high] = windowOf(shown);
  const scale = high > low ? 255 / (high - low) : 0;
  const grey = Uint8ClampedArray.from(shown, (value) => (Number.isFinite(value) ? (value - low) * scale : 0));
  return { width: columns, height: rows, grey, step, low, high };
}

/** Return the 0.5th and the 99.5th percentile of what is finite. */
function windowOf(values: Float64Array): [number, number] {
  const known = values.filter((value, at) => at % Math.ceil(values.length / 100_000) === 0 && Number.isFinite(value)).sort();
  if (!known.length) return [0, 0];
  const of = (part: number) => known[Math.min(known.length - 1, Math.round(part * (known.length - 1)))]!;
  return [of(0.005), of(0.995)];
}

function member(file: Hdf5File, path: string, name: string): Member {
  const whole = `${path === "/" ? "" : path}/${name}`;
  return { name, path: whole, ...told(file, whole) };
}

function told(file: Hdf5File, path: string): { kind: string; told: string } {
  const entity = file.get(path);
  if (entity instanceof h5wasm.Group) return { kind: "group", told: "" };
  if (entity instanceof h5wasm.Dataset) return { kind: "dataset", told: [shapeOf(entity.metadata.shape), typeOf(entity)].join(" ") };
  if (entity && "filename" in entity) return { kind: "link", told: `in the file ${String(entity.filename)}` };
  if (entity && "target" in entity) return { kind: "link", told: `to ${String(entity.target)}, which is not there` };
  return { kind: "type", told: "a named type" };
}

export function shapeOf(shape: number[] | null): string {
  if (shape === null) return "empty,";
  return shape.length ? shape.join(" × ") : "one value,";
}

/** Word a type: "uint16", "text", "compound (r, i)". */
export function typeOf(data: { metadata: Dataset["metadata"] }): string {
  const { type, size, signed, compound_type: compound, enum_type: listed } = data.metadata;
  if (type === 0) return `${signed ? "int" : "uint"}${8 * size}`;
  if (type === 1) return `float${8 * size}`;
  if (type === 6) return `compound (${(compound?.members ?? []).slice(0, 8).map((one) => one.name).join(", ")})`;
  if (type === 8) return Object.keys(listed?.members ?? {}).sort().join() === "FALSE,TRUE" ? "boolean" : "enumeration";
  return { 2: "time", 3: "text", 4: "bits", 5: "opaque bytes", 7: "reference", 9: "lists", 10: "array" }[type] ?? "unknown";
}

function attributesOf(entity: { attrs: Record<string, { value: unknown }> }): [string, string][] {
  return Object.entries(entity.attrs).map(([name, attribute]) => {
    try {
      return [name, text(attribute.value)];
    } catch (problem) {
      return [name, `cannot be read here (${(problem as Error).message})`];
    }
  });
}

/** Word a value, short. */
export function text(value: unknown): string {
  if (value === null || value === undefined) return "empty";
  if (typeof value === "string") return value.slice(0, LETTERS);
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(9)));
  if (typeof value === "bigint" || typeof value === "boolean") return String(value);
  if (ArrayBuffer.isView(value) || Array.isArray(value)) {
    const all = [...(value as Iterable<unknown>)];
    const few = all.slice(0, 12).map(text).join(", ");
    return `[${few}${all.length > 12 ? `, … ${all.length} in all` : ""}]`.slice(0, LETTERS);
  }
  return "a reference";
}
