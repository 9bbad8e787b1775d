// Which projections are put back, and in which order.

/** What a reader chose: so many projections over half a turn, of which those up to an angle, in an order. */
export interface Choice {
  views: number;
  range: number; // degrees
  order: "turn" | "spread";
}

/** Numbers of the projections, in the order in which they are put back. */
export function sequence(angles: readonly number[], { views, range, order }: Choice): number[] {
  const step = angles.length / views;
  const chosen = Array.from({ length: views }, (_, n) => n * step).filter((k) => angles[k]! < range);
  if (order === "turn") return chosen;
  // As far from those before as can be: the bits of the place read backwards.
  let bits = 0;
  while (1 << bits < chosen.length) bits++;
  const backwards = Array.from({ length: 1 << bits }, (_, n) =>
    Array.from({ length: bits }, (_, bit) => ((n >> bit) & 1) << (bits - 1 - bit)).reduce((a, b) => a + b, 0));
  return backwards.filter((n) => n < chosen.length).map((n) => chosen[n]!);
}
