// Numbers of a slice: where it lies in its frame, round lengths, lengths in words.

/** How near a slice is looked at: 1 shows all of it; the middle of the view as parts of its width and height. */
export interface Near { zoom: number; x: number; y: number }

/** Where a slice of so many voxels is drawn in a frame: its left upper corner, and pixels for each voxel. */
export function placed(near: Near, voxels: [number, number], frame: [number, number]) {
  const each = Math.min(frame[0] / voxels[0], frame[1] / voxels[1]) * near.zoom;
  const corner = [0, 1].map((k) => {
    const [long, room] = [voxels[k]! * each, frame[k]!];
    const wanted = room / 2 - (k ? near.y : near.x) * long;
    return long <= room ? (room - long) / 2 : Math.min(0, Math.max(room - long, wanted));
  }) as [number, number];
  return { each, left: corner[0], top: corner[1] };
}

/** The largest of 1, 2, 5 · 10^n that is not above a number. */
export function round(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most) + 1e-9);
  return [5, 2, 1].map((digit) => digit * power).find((length) => length <= most * (1 + 1e-9)) ?? power;
}

/** The unit that a length in m is told in. */
export function unitOf(metres: number): [number, string] {
  const units: [number, string][] = [[1, "m"], [1e-3, "mm"], [1e-6, "µm"], [1e-9, "nm"]];
  return units.find(([size]) => Math.abs(metres) >= size * 0.9999) ?? [1e-9, "nm"];
}

/** Write a length: in m, or in pixels where their size is not known. */
export function length(value: number, metric: boolean, digits = 4): string {
  if (!metric) return `${Number(value.toPrecision(digits))} px`;
  const [size, unit] = unitOf(value);
  return `${Number((value / size).toPrecision(digits))} ${unit}`;
}
