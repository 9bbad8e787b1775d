// Make your own slice: projections are put back one after the other, and the slice appears.
import { sequence, type Choice } from "./choice";
import { prepare, putBack, type Prepared, type Projections } from "./reconstruction";
import { t } from "../shared/words";

interface Told {
  sinogram: string;
  low: number;
  high: number;
  angles_deg: number[];
  columns: number;
  axis_column: number;
  window: [number, number];
}

const VIEWS = [4, 8, 16, 32, 64];
const TICK = 45; // ms between projections while it plays

const root = document.getElementById("make-a-slice");
const data = document.getElementById("slice-projections");
if (root && data?.textContent) begin(root, JSON.parse(data.textContent) as Told);

/** Read the numbers that the page carries. */
function projections(told: Told): Projections {
  const bytes = Uint8Array.from(atob(told.sinogram), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const step = (told.high - told.low) / 65535;
  const values = Float32Array.from({ length: bytes.length / 2 }, (_, k) => told.low + step * view.getUint16(2 * k, true));
  return { values, columns: told.columns, axis: told.axis_column, angles: told.angles_deg };
}

function begin(root: HTMLElement, told: Told): void {
  const given = projections(told);
  const { columns, angles } = given;
  const prepared = new Map<boolean, Prepared>();
  const ready = (filtered: boolean): Prepared => {
    if (!prepared.has(filtered)) prepared.set(filtered, prepare(given, filtered));
    return prepared.get(filtered)!;
  };
  const whole = putBack(given, ready(true), sequence(angles, { views: angles.length, range: 180, order: "turn" }));
  const choice: Choice = { views: angles.length, range: 180, order: "turn" };
  let order = sequence(angles, choice);
  let used = order.length;
  let playing = 0;

  const made = root.querySelector<HTMLElement>("#slice-made")!;
  const lines = root.querySelector<HTMLElement>("#projections")!;
  const output = made.querySelector("output")!;
  const slice = canvas(columns, columns, t("The slice made of the projections that are put back"));
  const rays = canvas(2 * columns, 2 * columns, "");
  rays.className = "rays";
  made.querySelector("img")!.replaceWith(slice, rays);
  const sinogram = canvas(columns, angles.length, t("All projections, one a line; those that are put back are bright"));
  const curve = canvas(2 * columns, columns, t("The projection that was put back last"));
  sinogram.className = "lines";
  curve.className = "curve";
  lines.querySelector("img")!.replaceWith(sinogram, curve);

  const form = document.createElement("div");
  form.className = "slice-do";
  form.setAttribute("role", "group");
  form.setAttribute("aria-label", t("What is put back"));
  const play = document.createElement("button");
  play.type = "button";
  play.textContent = t("Play");
  const count = field(form, t("Projections put back"), slider(0, order.length, 1, used));
  count.parentElement!.className = "slice-count";
  form.prepend(play);
  const views = field(form, t("Taken in half a turn"), select([...VIEWS.filter((n) => n < angles.length), angles.length].map((n) => [String(n), String(n)])));
  views.value = String(angles.length);
  const range = field(form, t("Turned by"), slider(30, 180, 15, 180));
  const turned = document.createElement("output");
  range.after(turned);
  const way = field(form, t("Order"), select([["turn", t("one after the other")], ["spread", t("spread out")]]));
  const filter = field(form, t("Filter each projection first"), document.createElement("input"));
  filter.type = "checkbox";
  filter.checked = true;
  root.append(form);

  /** Compute and draw what is chosen now. */
  function draw(): void {
    const chosen = order.slice(0, used);
    const image = chosen.length ? putBack(given, ready(filter.checked), chosen) : new Float32Array(columns * columns);
    const ends = filter.checked ? told.window : limits(image);
    paint(slice, image, ends);
    paint(sinogram, given.values, [told.low, told.high], brightness(chosen));
    const last = chosen.at(-1);
    drawRays(rays, last === undefined ? undefined : angles[last]!);
    drawCurve(curve, last === undefined ? undefined : given.values.subarray(last * columns, (last + 1) * columns), told);
    lines.querySelector("output")!.textContent = last === undefined ? t("none put back") : t("the last at %(angle)s", { angle: `${angles[last]!.toFixed(1)}°` });
    count.max = String(order.length);
    count.value = String(used);
    turned.textContent = `${choice.range}°`;
    const far = filter.checked && used ? ` · ${t("%(share)s from all", { share: `${difference(image, whole, told.window).toPrecision(2)} %` })}` : "";
    output.textContent = `${t("%(number)s of %(count)s projections", { number: used, count: order.length })}${far}`;
    root.dataset["used"] = String(used);
  }

  /** The lines that are put back are bright, the others dim. */
  function brightness(chosen: readonly number[]): (row: number) => number {
    const bright = new Set(chosen);
    return (row) => (bright.has(row) ? 1 : 0.3);
  }

  let asked = 0;
  const soon = () => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(draw);
  };

  function choose(): void {
    const all = used === order.length;
    choice.views = Number(views.value);
    choice.range = Number(range.value);
    choice.order = way.value as Choice["order"];
    order = sequence(angles, choice);
    used = all ? order.length : Math.min(used, order.length);
    soon();
  }

  function stop(): void {
    clearInterval(playing);
    playing = 0;
    play.textContent = t("Play");
  }

  play.addEventListener("click", () => {
    if (playing) return stop();
    if (used === order.length) used = 0;
    play.textContent = t("Stop");
    playing = window.setInterval(() => {
      used++;
      if (used >= order.length) stop();
      used = Math.min(used, order.length);
      soon();
    }, Math.max(TICK, Math.min(600, 6000 / order.length)));
  });
  count.addEventListener("input", () => {
    stop();
    used = Number(count.value);
    soon();
  });
  for (const one of [views, range, way]) one.addEventListener("input", choose);
  filter.addEventListener("change", soon);
  const drag = (event: PointerEvent) => {
    if (!event.buttons) return;
    stop();
    const box = sinogram.getBoundingClientRect();
    const part = Math.max(0, Math.min(1, (event.clientY - box.top) / box.height));
    used = choice.order === "turn" ? order.filter((k) => k < part * angles.length).length : Math.round(part * order.length);
    soon();
  };
  sinogram.addEventListener("pointerdown", (event) => {
    sinogram.setPointerCapture(event.pointerId);
    drag(event);
  });
  sinogram.addEventListener("pointermove", drag);
  draw();
  root.dataset["state"] = "ready";
}

function canvas(width: number, height: number, told: string): HTMLCanvasElement {
  const made = document.createElement("canvas");
  Object.assign(made, { width, height });
  if (told) {
    made.setAttribute("role", "img");
    made.setAttribute("aria-label", told);
  } else made.setAttribute("aria-hidden", "true");
  return made;
}

function slider(min: number, max: number, step: number, value: number): HTMLInputElement {
  const made = document.createElement("input");
  made.type = "range";
  for (const [name, text] of Object.entries({ min, max, step, value })) made.setAttribute(name, String(text));
  return made;
}

function select(options: [string, string][]): HTMLSelectElement {
  const made = document.createElement("select");
  for (const [value, words] of options) made.add(new Option(words, value));
  return made;
}

function field<Kind extends HTMLElement>(form: HTMLElement, words: string, control: Kind): Kind {
  const label = document.createElement("label");
  label.append(`${words} `, control);
  form.append(label);
  return control;
}

function limits(image: Float32Array): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of image) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high > low ? high : low + 1];
}

/** Draw values as greys; the rows may be dimmed. */
function paint(target: HTMLCanvasElement, values: Float32Array, [low, high]: readonly [number, number], bright = (_row: number) => 1): void {
  const context = target.getContext("2d")!;
  const picture = context.createImageData(target.width, target.height);
  for (let k = 0; k < values.length; k++) {
    const grey = Math.max(0, Math.min(255, (255 * (values[k]! - low)) / (high - low) + 0.5)) * bright(Math.floor(k / target.width));
    picture.data.set([grey, grey, grey, 255], 4 * k);
  }
  context.putImageData(picture, 0, 0);
}

/** Draw the way of the rays through the slice. */
function drawRays(target: HTMLCanvasElement, angle: number | undefined): void {
  const context = target.getContext("2d")!;
  const size = target.width;
  context.clearRect(0, 0, size, size);
  if (angle === undefined) return;
  const turn = (angle * Math.PI) / 180;
  const [across, up] = [Math.cos(turn), Math.sin(turn)];
  context.strokeStyle = "#f2b84b";
  context.lineWidth = size / 220;
  context.beginPath();
  for (const part of [-0.4, -0.2, 0, 0.2, 0.4]) { // the rays of five columns; canvases count y downwards
    const reach = Math.sqrt(0.25 - part * part);
    const at = (along: number): [number, number] => [
      size * (0.5 + part * across - along * up), size * (0.5 - part * up - along * across),
    ];
    context.moveTo(...at(reach));
    context.lineTo(...at(reach * 0.72));
    context.moveTo(...at(-reach));
    context.lineTo(...at(-reach * 0.72));
  }
  context.stroke();
}

/** Draw one projection as a curve. */
function drawCurve(target: HTMLCanvasElement, values: Float32Array | undefined, { low, high }: Told): void {
  const context = target.getContext("2d")!;
  context.clearRect(0, 0, target.width, target.height);
  if (!values) return;
  context.strokeStyle = "#f2b84b";
  context.lineWidth = target.width / 170;
  context.beginPath();
  values.forEach((value, k) => {
    const x = ((k + 0.5) / values.length) * target.width;
    context.lineTo(x, target.height * (0.95 - (0.9 * (value - low)) / (high - low)));
  });
  context.stroke();
}

/** Root of the mean square of the difference inside the circle, in per cent of the greys that are drawn. */
function difference(one: Float32Array, other: Float32Array, [low, high]: readonly [number, number]): number {
  const side = Math.sqrt(one.length);
  let sum = 0;
  for (let k = 0; k < one.length; k++) sum += (one[k]! - other[k]!) ** 2;
  return (100 * Math.sqrt(sum / ((Math.PI / 4) * side * side))) / (high - low);
}
