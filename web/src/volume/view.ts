// Where the reader looks from: directions in the volume, and what the box measures as seen from there.

export type Triple = [number, number, number];

/** How the volume is turned, how near it is, and how far it is moved from the middle (in halves of the stage). */
export interface View {
  yaw: number;
  pitch: number;
  zoom: number;
  moved: [number, number];
}

/** The view of the still picture, which the look begins with. */
export const FIRST: View = { yaw: 35, pitch: 22, zoom: 1, moved: [0, 0] };

/** Right, up and towards the reader as (x, y, z) of the volume; (0, 0) is the front, slice 0 on top. */
export function axesOf(view: View): [Triple, Triple, Triple] {
  const [a, b] = [(view.yaw * Math.PI) / 180, (view.pitch * Math.PI) / 180];
  const [sa, ca, sb, cb] = [Math.sin(a), Math.cos(a), Math.sin(b), Math.cos(b)];
  return [
    [ca, -sa, 0],
    [-sb * sa, -sb * ca, -cb],
    [cb * sa, cb * ca, -sb],
  ];
}

export const dot = (one: Triple, other: Triple): number =>
  one[0] * other[0] + one[1] * other[1] + one[2] * other[2];

/** Half of what a box measures along a direction. */
export const reach = (half: Triple, direction: Triple): number =>
  Math.abs(direction[0]) * half[0] + Math.abs(direction[1]) * half[1] + Math.abs(direction[2]) * half[2];

/** Length that half of the stage's height stands for, so that the box fits at zoom 1. */
export function halfHeight(view: View, half: Triple, aspect: number): number {
  const [right, up] = axesOf(FIRST);
  return (Math.max(reach(half, up), reach(half, right) / Math.min(aspect, 1)) * 1.03) / view.zoom;
}

/** The largest of 1, 2, 5 · 10^n that is not above a number. */
export function round(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most) + 1e-9);
  return [5, 2, 1].map((digit) => digit * power).find((length) => length <= most * (1 + 1e-9)) ?? power;
}

/** Write a length in the unit that suits it. */
export function length(value: number, unit: string): string {
  if (unit !== "m") return `${Number(value.toPrecision(3))} px`;
  const found = ([[1, "m"], [1e-3, "mm"], [1e-6, "µm"], [1e-9, "nm"]] as [number, string][]).find(
    ([size]) => Math.abs(value) >= size * 0.9999,
  ) ?? [1e-9, "nm"];
  return `${Number((value / found[0]).toPrecision(3))} ${found[1]}`;
}
