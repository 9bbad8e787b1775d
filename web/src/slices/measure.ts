// Measuring in a slice: a distance, an angle, the grey values along a line.
import { drawn, type Pane } from "./pane";
import { length } from "./place";
import { t } from "../shared/words";

export type Tool = "distance" | "angle" | "profile";
type Point = [number, number];

export interface Measure {
  tool: Tool | null;
  choose(tool: Tool | null): void;
  point(voxel: Point): void;
  clear(): void;
}

/** Give a pane its measures; `unit` is that of the grey values. */
export function measureOf(pane: Pane, unit: string): Measure {
  const drawing = drawn("svg", { class: "measure-drawing", role: "img", "aria-label": t("Measure") });
  pane.fit.append(drawing);
  let points: Point[] = [];
  let panel: HTMLElement | null = null;

  const size: Point = pane.pixel ?? [1, 1];
  const vector = (from: Point, to: Point): Point => [(to[0] - from[0]) * size[0], (to[1] - from[1]) * size[1]];
  const long = (of: Point) => Math.hypot(...of);

  function words(): string {
    if (measure.tool === "angle" && points.length === 3) {
      const [one, other] = [vector(points[1]!, points[0]!), vector(points[1]!, points[2]!)];
      const cosine = (one[0] * other[0] + one[1] * other[1]) / (long(one) * long(other));
      return `${((Math.acos(Math.max(-1, Math.min(1, cosine))) * 180) / Math.PI).toFixed(1)}°`;
    }
    if (measure.tool !== "angle" && points.length === 2) return length(long(vector(points[0]!, points[1]!)), !!pane.pixel);
    return "";
  }

  function draw(): void {
    drawing.replaceChildren();
    const percent = (point: Point): [string, string] => [
      `${((100 * point[0]) / pane.voxels[0]).toFixed(3)}%`, `${((100 * point[1]) / pane.voxels[1]).toFixed(3)}%`,
    ];
    points.forEach((point, k) => {
      const [x, y] = percent(point);
      drawing.append(drawn("circle", { cx: x, cy: y, r: 4 }));
      if (k) {
        const [x1, y1] = percent(points[k - 1]!);
        drawing.append(drawn("line", { x1, y1, x2: x, y2: y }));
      }
    });
    const told = words();
    drawing.setAttribute("aria-label", told || t("Measure"));
    if (told) {
      const [x, y] = percent(points[measure.tool === "angle" ? 1 : points.length - 1]!);
      drawing.append(drawn("text", { x, y, dx: 10, dy: -8 }, told));
    }
  }

  async function plot(): Promise<void> {
    const line = [...points[0]!, ...points[1]!].map((value) => value.toFixed(2)).join(",");
    const answer = await fetch(pane.address("json", { line }));
    panel?.remove();
    panel = document.createElement("div");
    panel.className = "profile";
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = t("Close");
    close.addEventListener("click", measure.clear);
    const told = document.createElement("p");
    panel.append(told, close);
    pane.frame.append(panel);
    if (!answer.ok) {
      told.textContent = t("The grey values could not be fetched.");
      return;
    }
    const { distance, value } = (await answer.json()) as { distance: number[]; value: (number | null)[] };
    const known = value.filter((one) => one !== null);
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const end = distance.at(-1) || 1;
    told.textContent = `${low.toPrecision(4)} to ${high.toPrecision(4)}${unit ? ` ${unit}` : ""} along ${length(end, !!pane.pixel)}`;
    const path = value.flatMap((one, k) =>
      one === null ? [] : [`${((100 * distance[k]!) / end).toFixed(2)},${(96 - (72 * (one - low)) / (high - low || 1)).toFixed(2)}`]);
    const plotted = drawn("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img", "aria-label": `${t("profile of grey values")}: ${told.textContent}` });
    plotted.append(drawn("polyline", { points: path.join(" ") }));
    panel.prepend(plotted);
  }

  const measure: Measure = {
    tool: null,
    choose(tool) {
      measure.tool = tool;
      measure.clear();
    },
    point(voxel) {
      const most = measure.tool === "angle" ? 3 : 2;
      if (points.length >= most) measure.clear();
      points.push(voxel.map((value, k) => Math.max(0, Math.min(pane.voxels[k]!, value))) as Point);
      draw();
      if (measure.tool === "profile" && points.length === 2) void plot();
    },
    clear() {
      points = [];
      panel?.remove();
      panel = null;
      draw();
    },
  };
  return measure;
}
