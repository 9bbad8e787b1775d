// What lies over the volume: the edges of its box with their lengths, a scale bar, the handle of the slice plane.
import { make } from "./look";
import type { Scene } from "./renderer";
import { axesOf, dot, halfHeight, length, round, type Triple } from "./view";

const SVG = "http://www.w3.org/2000/svg";
const NAMES = ["x", "y", "z"] as const;

export interface Bar { text: string; part: number }

export interface Overlay {
  behind: Element[];
  before: Element[];
  place(scene: Scene, axis: 0 | 1 | 2 | null, depth: number, side: Triple): void;
  bar(scene: Scene): Bar;
  drag(moved: (across: number, down: number) => void): void;
}

/** Make the overlay of a stage; `extent` is the size of the box (x, y, z) in `unit`. */
export function overlayOf(stage: HTMLElement, half: Triple, extent: Triple, unit: string): Overlay {
  const [back, front] = [0, 1].map(() => {
    const drawing = document.createElementNS(SVG, "svg");
    drawing.setAttribute("class", "look-box");
    drawing.setAttribute("aria-hidden", "true");
    return drawing;
  }) as [SVGSVGElement, SVGSVGElement];
  const line = make("i");
  const words = make("span");
  const bar = make("div", { class: "look-bar" }, words, line);
  const handle = make("button", { type: "button", class: "look-handle", "aria-label": "Drag the slice plane", tabindex: "-1" }, "↕");
  const longest = Math.max(...extent);

  function barOf(scene: Scene): Bar {
    const aspect = stage.clientWidth / stage.clientHeight;
    const width = halfHeight(scene.view, half, aspect) * aspect * longest; // of the stage, for one length is half the box
    const long = round(0.22 * width);
    return { text: length(long, unit), part: long / width };
  }

  function place(scene: Scene, axis: 0 | 1 | 2 | null, depth: number, side: Triple): void {
    const [width, height] = [stage.clientWidth, stage.clientHeight];
    const [right, up, towards] = axesOf(scene.view);
    const per = height / 2 / halfHeight(scene.view, half, width / height);
    const onStage = (p: Triple): [number, number] => [
      width / 2 + dot(p, right) * per + (scene.view.moved[0] * height) / 2,
      height / 2 - dot(p, up) * per - (scene.view.moved[1] * height) / 2,
    ];
    back.replaceChildren();
    front.replaceChildren();
    for (const along of [0, 1, 2] as const) {
      const [one, two] = [0, 1, 2].filter((other) => other !== along) as [number, number];
      // Of four parallel edges, the outermost on the left or below carries the length.
      let outermost: { far: number; at: [number, number] } | null = null;
      for (const [a, b] of [[-1, -1], [-1, 1], [1, -1], [1, 1]] as const) {
        const ends = [-1, 1].map((c) => {
          const corner: Triple = [0, 0, 0];
          [corner[along], corner[one], corner[two]] = [c * half[along], a * half[one]!, b * half[two]!];
          return corner;
        }) as [Triple, Triple];
        const hidden = a * towards[one]! < 0 && b * towards[two]! < 0;
        const edge = document.createElementNS(SVG, "line");
        const [from, to] = [onStage(ends[0]), onStage(ends[1])];
        (["x1", "y1", "x2", "y2"] as const).forEach((name, k) => edge.setAttribute(name, [...from, ...to][k]!.toFixed(1)));
        const nearest = a * towards[one]! > 0 && b * towards[two]! > 0;
        if (hidden || nearest) edge.setAttribute("class", "look-faint");
        // Edges of two faces that look away lie behind; a silhouette edge is never covered.
        (hidden ? back : front).append(edge);
        const middle: [number, number] = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2];
        const far = along === 2 ? -middle[0] : middle[1];
        if (!hidden && (!outermost || far > outermost.far)) outermost = { far, at: middle };
      }
      const seen = Math.hypot(right[along], up[along]) * half[along] * per * 2;
      if (outermost && seen > 60) front.append(label(along, outermost.at, onStage([0, 0, 0]), length(extent[along], unit)));
    }
    const told = barOf(scene);
    words.textContent = told.text;
    line.style.width = `${(told.part * width).toFixed(1)}px`;
    handle.hidden = axis === null;
    if (axis !== null) {
      const sign = side[axis] > 0 ? 1 : -1;
      const centre: Triple = [0, 0, 0];
      centre[axis] = sign * half[axis] * (1 - 2 * depth);
      const [x, y] = onStage(centre);
      handle.style.translate = `${x.toFixed(1)}px ${y.toFixed(1)}px`;
      const turned = (Math.atan2(right[axis], up[axis]) * 180) / Math.PI;
      handle.style.rotate = Math.hypot(right[axis], up[axis]) < 0.12 ? "0deg" : `${turned.toFixed(0)}deg`;
      handle.style.setProperty("--axis", `var(--${NAMES[axis]})`);
    }
  }

  return {
    behind: [back], before: [front, bar, handle], place, bar: barOf,
    drag(moved) {
      handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
      handle.addEventListener("pointermove", (event) => {
        if (handle.hasPointerCapture(event.pointerId)) moved(event.movementX, event.movementY);
      });
    },
  };
}

/** Write a length beside an edge, on the side away from the middle. */
function label(along: 0 | 1 | 2, at: [number, number], middle: [number, number], text: string): SVGTextElement {
  const element = document.createElementNS(SVG, "text");
  element.setAttribute("class", `look-${NAMES[along]}`);
  const away = along === 2 ? -10 : at[0] < middle[0] ? -8 : 8;
  element.setAttribute("x", (at[0] + away).toFixed(1));
  element.setAttribute("y", (at[1] + (along === 2 ? 4 : 18)).toFixed(1));
  element.setAttribute("text-anchor", away < 0 ? "end" : "start");
  element.textContent = `${NAMES[along]} ${text}`;
  return element;
}
