// The look that can be turned: a stage, its tools, and what the reader does to them.
import { overlayOf } from "./overlay";
import { pictureOf } from "./picture";
import { rendererOf, STYLES, type Renderer, type Scene, type Style } from "./renderer";
import { axesOf, FIRST, halfHeight, type Triple } from "./view";
import { t } from "../shared/words";

const WORDS: Record<Style, string> = {
  surface: "Surface", translucent: "Translucent", "x-ray": "X-ray", brightest: "Brightest",
};
type Cut = "corner" | "z" | "y" | "x" | "none";
const CUTS: Record<Cut, string> = {
  corner: "a corner cut out", z: "a slice across z", y: "a slice across y", x: "a slice across x", none: "nothing cut",
};
const AXES: Record<string, 0 | 1 | 2> = { x: 0, y: 1, z: 2 };
const MOST_PIXELS = 1_800_000;
const MOVING_MS = 30;
const SETTLED_MS = 400;

/** Build an element: its name, attributes and content. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K, attributes: Record<string, string> = {}, ...content: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const [key, text] of Object.entries(attributes)) element.setAttribute(key, text);
  element.append(...content);
  return element;
}

/** Open the stage below the slices; `closed` is called when it is gone. Gives what closes it. */
export function open(figure: HTMLElement, planes: Element, closed: () => void): () => void {
  const stage = make("section", { class: "look-stage", "aria-label": "3-D look", id: "look-stage" });
  const wait = make("p", { class: "look-wait", role: "status" }, t("Fetching the volume …"));
  stage.append(make("div", { class: "look-view" }, wait));
  planes.append(stage);
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  stage.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  const ends: (() => void)[] = [];
  const close = () => {
    ends.forEach((end) => end());
    stage.remove();
    closed();
  };
  fetchVolume(figure)
    .then((grey) => stage.isConnected && ends.push(show(stage, figure, grey, close, calm)))
    .catch((problem: Error) => {
      wait.remove();
      fail(stage, problem.message);
    });
  return close;
}

/** Say why there is no look, and what there is instead. */
function fail(stage: HTMLElement, why: string): void {
  const told = `${t(why)}. ${t("The slices above show the inside, and the still picture stays.")}`;
  stage.replaceChildren(make("p", { class: "look-told", role: "alert" }, told));
  stage.dataset["state"] = "failed";
}

async function fetchVolume(figure: HTMLElement): Promise<Uint8Array> {
  const answer = await fetch(figure.dataset["volume"] ?? "");
  if (!answer.ok) throw new Error(`The volume could not be fetched (status ${answer.status})`);
  const grey = new Uint8Array(await answer.arrayBuffer());
  const [nz, ny, nx] = numbers(figure, "shape");
  if (grey.length !== nx * ny * nz) throw new Error(`The volume has ${grey.length} bytes, not ${nx * ny * nz}`);
  return grey;
}

const numbers = (figure: HTMLElement, name: string): Triple =>
  (figure.dataset[name] ?? "").split(" ").map(Number) as Triple;

/** Build the tools and draw; gives what ends it. */
function show(stage: HTMLElement, figure: HTMLElement, grey: Uint8Array, close: () => void, calm: boolean): () => void {
  const view = stage.querySelector<HTMLElement>(".look-view")!;
  const canvas = make("canvas", {
    tabindex: "0", role: "application",
    "aria-label": t("The volume in three dimensions. Arrow keys turn it, plus and minus zoom, 0 goes back."),
  });
  const [nz, ny, nx] = numbers(figure, "shape");
  const extent = numbers(figure, "extent").reverse() as Triple; // x, y, z
  const renderer: Renderer = rendererOf(canvas, grey, [nx, ny, nz], extent);
  canvas.addEventListener("webglcontextlost", () => {
    if (stage.isConnected) fail(stage, "The graphics card gave up");
  });
  const half = renderer.half;
  const [low, high] = numbers(figure, "window");
  const unit = figure.dataset["unit"] ?? "";
  let cut: Cut = "corner";
  let depth = 0.5;
  let side: Triple = axesOf(FIRST)[2]; // where the reader stood when the cut was chosen
  const scene: Scene = { view: { ...FIRST, moved: [0, 0] }, style: "surface", threshold: otsu(grey) / 255, out: outOf() };
  const first = scene.threshold;
  const overlay = overlayOf(view, half, extent, figure.dataset["length"] ?? "px");
  view.replaceChildren(...overlay.behind, canvas, ...overlay.before);

  /** The box that is taken out, on the side that is next to the reader. */
  function outOf(): [Triple, Triple] {
    const nothing: [Triple, Triple] = [[9, 9, 9], [9, 9, 9]];
    if (cut === "none") return nothing;
    const lowest = half.map((length) => -length) as Triple;
    const highest = [...half] as Triple;
    for (const axis of cut === "corner" ? ([0, 1, 2] as const) : [AXES[cut]!]) {
      const at = half[axis] * (1 - 2 * depth);
      if (side[axis] > 0) lowest[axis] = at;
      else highest[axis] = -at;
    }
    return [lowest.map((v) => v * 1.001) as Triple, highest.map((v) => v * 1.001) as Triple];
  }

  // Each frame tells how long a pixel takes, so that the next is as fine as the graphics card can draw in time.
  let perPixel = 4e-4; // ms; the first frame is coarse on purpose
  let asked = 0;
  let settled = 0;
  let style = scene.style;
  function draw(moving = true): void {
    if (!view.isConnected) return;
    stage.dataset["state"] = "drawing"; // until it is drawn in full
    if (asked) return;
    asked = requestAnimationFrame(() => {
      asked = 0;
      if (style !== scene.style) [style, perPixel] = [scene.style, Math.max(perPixel, 4e-4)];
      const dots = Math.min(devicePixelRatio || 1, 2);
      const pixels = view.clientWidth * view.clientHeight * dots * dots;
      const affordable = Math.min(MOST_PIXELS, (moving ? MOVING_MS : SETTLED_MS) / perPixel);
      const scale = dots * Math.max(0.15, Math.min(1, Math.sqrt(affordable / pixels)));
      scene.out = outOf();
      const [width, height] = [view.clientWidth, view.clientHeight].map((side) => Math.max(1, Math.round(side * scale)));
      const took = renderer.draw(scene, width!, height!);
      perPixel = 0.5 * perPixel + (0.5 * took) / (width! * height!);
      overlay.place(scene, cut in AXES ? AXES[cut]! : null, depth, side);
      clearTimeout(settled);
      if (moving) settled = window.setTimeout(() => draw(false), 160);
      else stage.dataset["state"] = "drawn";
    });
  }

  const threshold = make("input", {
    type: "range", min: "1", max: "254", value: String(Math.round(scene.threshold * 255)), "aria-label": t("Threshold"),
  });
  const thresholdTold = make("output");
  const tellThreshold = () => {
    const value = low + scene.threshold * (high - low);
    thresholdTold.textContent = `${value.toPrecision(3)}${unit ? ` ${unit}` : ""}`;
  };
  threshold.addEventListener("input", () => {
    scene.threshold = Number(threshold.value) / 255;
    tellThreshold();
    draw();
  });
  const styles = STYLES.map((style) => {
    const button = make("button", { type: "button", "aria-pressed": String(style === scene.style) }, t(WORDS[style]));
    button.addEventListener("click", () => {
      scene.style = style;
      styles.forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
      draw();
    });
    return button;
  });
  const cuts = make("select", { "aria-label": t("What is cut") });
  for (const [name, words] of Object.entries(CUTS)) cuts.append(make("option", { value: name }, t(words)));
  const deep = make("input", { type: "range", min: "0", max: "1", step: "0.005", value: "0.5", "aria-label": t("How deep the cut goes") });
  cuts.addEventListener("change", () => {
    cut = cuts.value as Cut;
    side = axesOf(scene.view)[2];
    deep.disabled = cut === "none";
    draw();
  });
  deep.addEventListener("input", () => { depth = Number(deep.value); draw(); });
  const button = (words: string, act: () => void) => {
    const made = make("button", { type: "button" }, words);
    made.addEventListener("click", act);
    return made;
  };
  const reset = () => {
    Object.assign(scene.view, { ...FIRST, moved: [0, 0] });
    [cut, depth, side] = ["corner", 0.5, axesOf(FIRST)[2]];
    [cuts.value, deep.value, deep.disabled] = ["corner", "0.5", false];
    scene.threshold = first;
    threshold.value = String(Math.round(first * 255));
    tellThreshold();
    draw();
  };
  const save = () => {
    renderer.draw(scene, canvas.width, canvas.height);
    pictureOf(canvas, overlay.bar(scene), figure.dataset["title"] ?? "");
  };
  const full = button(t("Full screen"), () => {
    void (document.fullscreenElement ? document.exitFullscreen() : stage.requestFullscreen());
  });
  if (!document.fullscreenEnabled) full.hidden = true;
  stage.append(make("div", { class: "look-tools" },
    make("div", { role: "group", "aria-label": t("How it is drawn") }, ...styles),
    make("label", {}, t("Threshold"), threshold, thresholdTold),
    make("label", {}, t("With"), cuts, deep),
    make("div", { class: "look-last" }, button(t("Reset"), reset), full, button(t("Save PNG"), save), button(t("Close"), close)),
  ));

  const turn = (across: number, down: number) => {
    scene.view.yaw = (scene.view.yaw + across) % 360;
    scene.view.pitch = Math.max(-90, Math.min(90, scene.view.pitch + down));
    draw();
  };
  const zoom = (factor: number) => {
    scene.view.zoom = Math.max(0.4, Math.min(24, scene.view.zoom * factor));
    draw();
  };
  const move = (across: number, down: number) => {
    scene.view.moved[0] += (2 * across) / view.clientHeight;
    scene.view.moved[1] -= (2 * down) / view.clientHeight;
    draw();
  };
  canvas.addEventListener("keydown", (event) => {
    const far = event.shiftKey ? 30 : 6;
    const keys: Record<string, () => void> = {
      ArrowLeft: () => turn(far, 0), ArrowRight: () => turn(-far, 0),
      ArrowUp: () => turn(0, -far), ArrowDown: () => turn(0, far),
      "+": () => zoom(1.2), "=": () => zoom(1.2), "-": () => zoom(1 / 1.2), "0": reset,
    };
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)));
  }, { passive: false });
  follow(canvas, turn, move, zoom);
  overlay.drag((across, down) => {
    // The pixels that the plane moves on the stage for a length along its axis.
    const axis = AXES[cut]!;
    const [right, up] = axesOf(scene.view);
    const perLength = view.clientHeight / 2 / halfHeight(scene.view, half, view.clientWidth / view.clientHeight);
    const [dx, dy] = [right[axis] * perLength, -up[axis] * perLength];
    const along = dx * dx + dy * dy < (0.12 * perLength) ** 2 ? -down / perLength : (across * dx + down * dy) / (dx * dx + dy * dy);
    depth = Math.max(0, Math.min(1, depth - ((side[axis] > 0 ? 1 : -1) * along) / (2 * half[axis])));
    deep.value = String(depth);
    draw();
  });
  // Another moment of a series: the same greys, view, cut and threshold.
  const exchange = (event: Event) => {
    const wanted = figure.dataset["volume"];
    const came = fetchVolume(figure).then((other) => {
      if (figure.dataset["volume"] !== wanted || !stage.isConnected) return; // the reader went on
      renderer.exchange(other);
      draw(false);
      stage.dataset["volume"] = wanted;
    });
    (event as CustomEvent<Promise<unknown>[]>).detail.push(came.catch((problem: Error) => {
      if (stage.isConnected) fail(stage, problem.message);
    }));
  };
  figure.addEventListener("look-volume", exchange);
  const watch = new ResizeObserver(() => draw());
  watch.observe(view);
  tellThreshold();
  if (calm) draw();
  else turnIn(turn);
  canvas.focus({ preventScroll: true });
  return () => {
    figure.removeEventListener("look-volume", exchange);
    watch.disconnect();
    clearTimeout(settled);
    cancelAnimationFrame(asked);
    renderer.close();
  };
}

/** Turn into place once, so that it is seen that the picture can be turned. */
function turnIn(turn: (across: number, down: number) => void): void {
  const start = performance.now();
  let done = 0;
  turn(-24, 0);
  const on = (now: number) => {
    const part = Math.min(1, (now - start) / 900);
    const reached = 24 * (1 - (1 - part) ** 3);
    turn(reached - done, 0);
    done = reached;
    if (part < 1) requestAnimationFrame(on);
  };
  requestAnimationFrame(on);
}

/** Follow mouse and fingers: one turns, one with Shift or the other button moves, two zoom and move. */
function follow(
  canvas: HTMLCanvasElement, turn: (x: number, y: number) => void, move: (x: number, y: number) => void,
  zoom: (factor: number) => void,
): void {
  const fingers = new Map<number, { x: number; y: number }>();
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  for (const name of ["pointerup", "pointercancel"] as const) {
    canvas.addEventListener(name, (event) => fingers.delete(event.pointerId));
  }
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const [across, down] = [event.clientX - before.x, event.clientY - before.y];
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (other) {
      const was = Math.hypot(before.x - other.x, before.y - other.y);
      const is = Math.hypot(event.clientX - other.x, event.clientY - other.y);
      if (was > 0 && is > 0) zoom(is / was);
      move(across / 2, down / 2);
    } else if (event.shiftKey || event.buttons & 2) move(across, down);
    else turn(-across * 0.4, down * 0.4);
  });
}

/** The grey value that parts object and surroundings best (Otsu 1979). */
function otsu(grey: Uint8Array): number {
  const counts = new Float64Array(256);
  for (const value of grey) counts[value]!++;
  counts[0] = counts[255] = 0;
  let [total, sum] = [0, 0];
  counts.forEach((count, value) => { total += count; sum += count * value; });
  let [below, part, best, found] = [0, 0, -1, 128];
  counts.forEach((count, value) => {
    below += count;
    part += count * value;
    if (below === 0 || below === total) return;
    const between = (sum * below - part * total) ** 2 / (below * (total - below));
    if (between > best) [best, found] = [between, value + 1];
  });
  return Math.max(1, Math.min(254, found));
}

