// One slice in its frame: the picture, finer ones of what is near, the crosshair, the ruler, what a hand does to it.
import { length, placed, round, unitOf, type Near } from "./place";

/** Coordinate of voxel i: first + step * i, in m, or in voxels where it is not metric. */
export interface Coordinates { name: string; first: number; step: number; metric: boolean }
/** How axes are drawn: axis of the volume → its coordinates; null for none. */
export type Ruler = Record<string, Coordinates> | null;
const SVG = "http://www.w3.org/2000/svg";
const PIXELS = 1024;

/** Make an element of a drawing. */
export function drawn(name: string, attributes: Record<string, string | number>, text = ""): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.textContent = text;
  return element;
}

export interface Pane {
  plane: string;
  figure: HTMLElement;
  frame: HTMLElement;
  fit: HTMLElement;
  voxels: [number, number];
  pixel: [number, number] | null;
  near: Near;
  ruler: Ruler;
  index(): number;
  show(): void;
  tell(): void;
  draw(): void;
  zoom(factor: number, at?: [number, number]): void;
  voxelAt(event: { clientX: number; clientY: number }): [number, number];
  region(): [number, number, number, number] | null;
  address(ending: string, more: Record<string, string>): string;
}

/** What a pane asks of the whole. */
export interface Whole {
  window: [number, number] | null; // null: the usual one
  clicked(pane: Pane, voxel: [number, number]): void;
  changed(): void;
}

const pair = (text: string | undefined): [number, number] | null => {
  const numbers = (text ?? "").split(" ").filter(Boolean).map(Number);
  return numbers.length === 2 ? [numbers[0]!, numbers[1]!] : null;
};

/** Give a slice what a script can add. */
export function paneOf(figure: HTMLElement, whole: Whole): Pane {
  const frame = figure.querySelector<HTMLElement>(".frame")!;
  const fit = figure.querySelector<HTMLElement>(".fit")!;
  const picture = fit.querySelector<HTMLImageElement>("img")!;
  const slider = figure.querySelector<HTMLInputElement>("input[type=range]")!;
  const plane = figure.dataset["plane"]!;
  const voxels = pair(figure.dataset["voxels"])!;
  const pixel = pair(figure.dataset["pixel"]);
  // A voxel is that many times as high as wide; lengths on the screen count in its width.
  const tall = pixel ? pixel[1] / pixel[0] : 1;
  const size: [number, number] = [voxels[0], voxels[1] * tall];
  fit.querySelector(".marks")?.remove(); // those of the page without a script
  const bar = figure.querySelector<SVGElement>(".scale-bar");
  if (bar) frame.append(bar);
  const ruler = drawn("svg", { class: "ruler", "aria-hidden": "true" });
  frame.append(ruler);
  frame.tabIndex = 0;
  frame.setAttribute("role", "application");
  frame.setAttribute("aria-label",
    `Slice along ${plane}. Arrow keys move the crosshair, Page Up and Page Down the slice, plus and minus zoom, 0 shows all.`);
  let fine: HTMLImageElement | null = null;
  let waiting = 0;
  const busy = { now: "", next: "" };

  const pane: Pane = {
    plane, figure, frame, fit, voxels, pixel, near: { zoom: 1, x: 0.5, y: 0.5 }, ruler: null,
    index: () => Number(slider.value),
    show() {
      const index = pane.index();
      load(pane.address("png", {}));
      picture.alt = picture.alt.replace(/^Slice \d+/, `Slice ${index}`);
      pane.tell();
      fine?.remove();
      fine = null;
      pane.draw();
    },
    tell() {
      const index = pane.index();
      const step = Number(figure.dataset["step"] ?? 0);
      const own = pane.ruler?.[plane];
      const position = own ? ` · ${own.name} ${coordinate(own, index)}`
        : step ? ` · ${(index * step).toFixed(Number(figure.dataset["decimals"]))} ${figure.dataset["unit"]}` : "";
      figure.querySelector("output")!.textContent = `${index} / ${slider.max}${position}`;
    },
    draw() {
      const room: [number, number] = [frame.clientWidth, frame.clientHeight];
      if (!room[0] || !room[1]) return; // not laid out yet: it is told of its size when it is
      const { each, left, top } = placed(pane.near, size, room);
      frame.classList.toggle("near", pane.near.zoom > 1);
      fit.classList.add("placed");
      Object.assign(fit.style, {
        left: `${left}px`, top: `${top}px`, width: `${size[0] * each}px`, height: `${size[1] * each}px`,
      });
      drawBar(each);
      drawRuler(each, left, top, room);
      clearTimeout(waiting);
      waiting = window.setTimeout(refine, 140);
    },
    zoom(factor, at) {
      const room: [number, number] = [frame.clientWidth, frame.clientHeight];
      const before = placed(pane.near, size, room);
      const [px, py] = at ?? [room[0] / 2, room[1] / 2];
      const [vx, vy] = [(px - before.left) / before.each, (py - before.top) / before.each];
      const most = Math.max(8, (Math.max(...voxels) / Math.min(...room)) * 16);
      pane.near.zoom = Math.max(1, Math.min(most, pane.near.zoom * factor));
      const each = Math.min(room[0] / size[0], room[1] / size[1]) * pane.near.zoom;
      pane.near.x = clip((vx + (room[0] / 2 - px) / each) / size[0]);
      pane.near.y = clip((vy + (room[1] / 2 - py) / each) / size[1]);
      pane.draw();
      whole.changed();
    },
    voxelAt(event) {
      const box = fit.getBoundingClientRect();
      return [
        ((event.clientX - box.left) / box.width) * voxels[0],
        ((event.clientY - box.top) / box.height) * voxels[1],
      ];
    },
    region() {
      const room: [number, number] = [frame.clientWidth, frame.clientHeight];
      const { each, left, top } = placed(pane.near, size, room);
      if (pane.near.zoom <= 1) return null;
      const high = each * tall;
      const region = [-left / each, -top / high, (room[0] - left) / each, (room[1] - top) / high];
      return region.map((value, k) => Math.round(Math.max(0, Math.min(voxels[k % 2]!, value)))) as [number, number, number, number];
    },
    address(ending, more) {
      const address = new URL(figure.dataset["pattern"]!.replace("INDEX.png", `${pane.index()}.${ending}`), location.href);
      for (const [key, value] of [["low", whole.window?.[0]], ["high", whole.window?.[1]]] as const) {
        if (value === undefined) address.searchParams.delete(key);
        else address.searchParams.set(key, String(value));
      }
      for (const [key, text] of Object.entries(more)) address.searchParams.set(key, text);
      return address.pathname + address.search;
    },
  };

  /** Load one picture at a time: a quick drag asks for the last place, not for all between. */
  function load(address: string): void {
    busy.next = address;
    if (busy.now) return;
    busy.now = address;
    const next = new Image();
    const done = () => {
      busy.now = "";
      if (busy.next !== address) load(busy.next);
    };
    next.onload = () => { picture.src = next.src; done(); };
    next.onerror = done;
    next.src = address;
  }

  /** Fetch what is near in its own resolution. */
  function refine(): void {
    const seen = pane.region();
    const { each } = placed(pane.near, size, [frame.clientWidth, frame.clientHeight]);
    const enough = picture.naturalWidth >= voxels[0] || picture.naturalWidth / voxels[0] >= each * devicePixelRatio;
    picture.style.imageRendering = picture.naturalWidth >= voxels[0] && each > 3 ? "pixelated" : "";
    if (!seen || enough || Math.max(...voxels) <= PIXELS) {
      fine?.remove();
      fine = null;
      return;
    }
    // Corners on a grid of 16 voxels, so that coarser levels begin there too.
    const [left, top] = [Math.floor(seen[0] / 16) * 16, Math.floor(seen[1] / 16) * 16];
    const right = Math.min(voxels[0], Math.ceil(seen[2] / 16) * 16);
    const bottom = Math.min(voxels[1], Math.ceil(seen[3] / 16) * 16);
    const next = new Image();
    next.className = "fine";
    next.alt = "";
    next.src = pane.address("png", { region: [left, top, right, bottom].join(",") });
    Object.assign(next.style, {
      left: `${(100 * left) / voxels[0]}%`, width: `${(100 * (right - left)) / voxels[0]}%`,
      top: `${(100 * top) / voxels[1]}%`, height: `${(100 * (bottom - top)) / voxels[1]}%`,
      imageRendering: each > 3 ? "pixelated" : "",
    });
    next.onload = () => {
      if (pane.address("png", { region: [left, top, right, bottom].join(",") }) !== next.getAttribute("src")) return;
      fine?.remove();
      fine = next;
      picture.after(next);
    };
  }

  function drawBar(each: number): void {
    if (!bar || !pixel) return;
    const long = round(0.3 * (frame.clientWidth / each) * pixel[0]);
    const part = (100 * long) / pixel[0] / (frame.clientWidth / each);
    const line = bar.querySelector("rect")!;
    line.setAttribute("width", `${part.toFixed(3)}%`);
    line.setAttribute("x", `${(97 - part).toFixed(3)}%`);
    bar.querySelector("text")!.textContent = length(long, true, 3);
    bar.setAttribute("aria-label", `Scale bar of ${length(long, true, 3)}`);
  }

  /** Draw axes along the lower and the left edge, in the coordinates that were chosen. */
  function drawRuler(wide: number, left: number, top: number, room: [number, number]): void {
    ruler.replaceChildren();
    frame.classList.toggle("ruled", pane.ruler !== null);
    if (!pane.ruler) return;
    for (const k of [0, 1] as const) {
      const each = k ? wide * tall : wide;
      const along = pane.ruler[figure.dataset[k ? "down" : "across"]!]!;
      const size = Math.abs(along.step);
      const corner = k ? top : left;
      const step = round((90 / each) * size);
      const [unitSize, unit] = !along.metric ? [1, "px"] : Math.abs(along.first) > 100 * step ? [1e-3, "mm"] : unitOf(step * 2);
      const decimals = Math.max(0, -Math.floor(Math.log10(step / unitSize) + 1e-9));
      // The middle of voxel i has the coordinate that is told; the picture begins half a voxel before the first.
      const told = (at: number) => along.first + along.step * ((at - corner) / each - 0.5);
      const ends = [told(0), told(room[k])].sort((a, b) => a - b);
      for (let n = Math.ceil(ends[0]! / step); n * step <= ends[1]!; n++) {
        const at = corner + ((n * step - along.first) / along.step + 0.5) * each;
        if (at < corner - 1 || at > corner + voxels[k] * each + 1 || at < (k ? 28 : 64) || at > room[k] - (k ? 30 : 14)) continue;
        const words = `${((n * step) / unitSize).toFixed(decimals)}`;
        ruler.append(k
          ? drawn("line", { x1: 0, x2: 7, y1: at, y2: at })
          : drawn("line", { y1: room[1], y2: room[1] - 7, x1: at, x2: at }));
        ruler.append(k
          ? drawn("text", { x: 11, y: at + 4 }, words)
          : drawn("text", { x: at, y: room[1] - 11, "text-anchor": "middle" }, words));
      }
      ruler.append(k
        ? drawn("text", { x: 8, y: 18 }, `${along.name} in ${unit}`)
        : drawn("text", { x: 8, y: room[1] - 11 }, `${along.name} in ${unit}`));
    }
  }

  follow(pane, whole);
  new ResizeObserver(() => pane.draw()).observe(frame);
  return pane;
}

/** Write the coordinate of a voxel, to two digits of the step. */
function coordinate(along: Coordinates, index: number): string {
  const value = along.first + along.step * index;
  if (!along.metric) return `${value} px`;
  const words = (1e3 * value).toFixed(Math.max(0, 1 - Math.floor(Math.log10(Math.abs(1e3 * along.step)))));
  return `${Number(words) === 0 ? words.replace("-", "") : words} mm`;
}

const clip = (part: number) => Math.max(0, Math.min(1, part));

/** Follow the hand: a click sets the crosshair, a drag sets it or moves what is near, two fingers and the wheel zoom. */
function follow(pane: Pane, whole: Whole): void {
  const { frame } = pane;
  const fingers = new Map<number, { x: number; y: number }>();
  let far = 0;
  frame.addEventListener("dragstart", (event) => event.preventDefault());
  frame.addEventListener("pointerdown", (event) => {
    if ((event.target as Element).closest(".slice-tools, .profile") || event.button) return;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    far = fingers.size > 1 ? 99 : 0;
    frame.setPointerCapture(event.pointerId);
    frame.focus({ preventScroll: true });
  });
  frame.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const [across, down] = [event.clientX - before.x, event.clientY - before.y];
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    far += Math.hypot(across, down);
    if (far < 4) return;
    if (other) {
      const was = Math.hypot(before.x - other.x, before.y - other.y);
      const is = Math.hypot(event.clientX - other.x, event.clientY - other.y);
      const box = frame.getBoundingClientRect();
      if (was > 0) pane.zoom(is / was, [(event.clientX + other.x) / 2 - box.left, (event.clientY + other.y) / 2 - box.top]);
    } else if (pane.near.zoom > 1) {
      frame.classList.add("held");
      const box = pane.fit.getBoundingClientRect();
      pane.near.x = clip(pane.near.x - across / box.width);
      pane.near.y = clip(pane.near.y - down / box.height);
      pane.draw();
      whole.changed();
    } else if (event.pointerType === "mouse") whole.clicked(pane, pane.voxelAt(event));
  });
  const end = (event: PointerEvent) => {
    if (!fingers.delete(event.pointerId)) return;
    frame.classList.remove("held");
    if (event.type === "pointerup" && far < 4) whole.clicked(pane, pane.voxelAt(event));
  };
  frame.addEventListener("pointerup", end);
  frame.addEventListener("pointercancel", end);
  frame.addEventListener("wheel", (event) => {
    // A wheel that passes over scrolls the page; it zooms where the slice was clicked, or with Ctrl.
    const meant = event.ctrlKey || document.fullscreenElement || document.activeElement === frame;
    if (!meant) return;
    event.preventDefault();
    const box = frame.getBoundingClientRect();
    pane.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), [event.clientX - box.left, event.clientY - box.top]);
  }, { passive: false });
}
