// Filtered backprojection, with the geometry, filter and weights of tomarium.fbp: a column u of the projection at an
// angle sees the points x cos + y sin = u - axis, x to the right of the axis and y above it.
import { transform } from "./fourier";

/** Projections of one slice: `values` projection by projection. */
export interface Projections {
  values: Float32Array;
  columns: number;
  axis: number;
  angles: readonly number[]; // degrees
}

/** The same on a finer grid, filtered or as they are: sample j of a projection lies at column j / FINER. */
export interface Prepared {
  values: Float32Array;
  length: number;
}

const FINER = 4;

/** Interpolate all projections, after the ramp filter with the window of Shepp and Logan where `filtered`. */
export function prepare({ values, columns, angles }: Projections, filtered: boolean): Prepared {
  let padded = 2;
  while (padded < 2 * columns) padded *= 2;
  const factor = response(padded, filtered);
  const length = padded * FINER;
  const result = new Float32Array(angles.length * length);
  for (let k = 0; k < angles.length; k += 2) { // two at a time, as real and imaginary part
    const two = k + 1 < angles.length;
    const [re, im] = [new Float64Array(padded), new Float64Array(padded)];
    re.set(values.subarray(k * columns, (k + 1) * columns));
    if (two) im.set(values.subarray((k + 1) * columns, (k + 2) * columns));
    transform(re, im);
    const [fineRe, fineIm] = [new Float64Array(length), new Float64Array(length)];
    for (let f = 0; f <= padded / 2; f++) {
      const scale = factor[f]! * (f === padded / 2 ? 0.5 : 1); // the highest frequency is two now, each with half
      fineRe[f] = re[f]! * scale;
      fineIm[f] = im[f]! * scale;
      if (!f) continue;
      fineRe[length - f] = re[padded - f]! * scale;
      fineIm[length - f] = im[padded - f]! * scale;
    }
    transform(fineRe, fineIm, true);
    result.set(fineRe, k * length);
    if (two) result.set(fineIm, (k + 1) * length);
  }
  return { values: result, length };
}

/** What a frequency is multiplied by; the linear interpolation that reads the samples is made up for. */
function response(padded: number, filtered: boolean): Float64Array {
  const ramp = new Float64Array(padded);
  ramp[0] = 0.25; // Kak & Slaney, chapter 3, eq. 61: sampled in space, else the mean is lost
  for (let n = 1; n <= padded / 2; n += 2) ramp[n] = ramp[padded - n] = -1 / (Math.PI * n) ** 2;
  transform(ramp, new Float64Array(padded));
  return Float64Array.from({ length: padded / 2 + 1 }, (_, f) => {
    const filter = filtered ? ramp[f]! * sinc(f / padded) : 1;
    return filter / sinc(f / (padded * FINER)) ** 2 / padded;
  });
}

const sinc = (x: number) => (x ? Math.sin(Math.PI * x) / (Math.PI * x) : 1);

/** The angle, in radians, that each projection stands for: see tomarium.kernels.backprojection.angular_weights. */
export function weights(angles: readonly number[]): Float64Array {
  const count = angles.length;
  const order = angles.map((_, k) => k).sort((a, b) => angles[a]! - angles[b]!);
  const gaps = order.map((k, n) => (n + 1 < count ? angles[order[n + 1]!]! : angles[order[0]!]! + 180) - angles[k]!);
  const counted = gaps.map((gap, n) => {
    const near = [-4, -3, -2, -1, 1, 2, 3, 4].map((d) => gaps[(((n + d) % count) + count) % count]!).sort((a, b) => a - b);
    const step = (near[3]! + near[4]!) / 2;
    return Math.min(gap, Math.max(3 * step, Math.min(20 * step, 8)));
  });
  const sum = counted.reduce((a, b) => a + b, 0);
  const result = new Float64Array(count);
  order.forEach((k, n) => (result[k] = ((counted[n]! + counted[(n + count - 1) % count]!) / 2 / sum) * Math.PI));
  return result;
}

/** Put projections back: square, row by row from above, zero outside the circle that fits into it. */
export function putBack({ columns, axis, angles }: Projections, prepared: Prepared, chosen: readonly number[]): Float32Array {
  const slice = new Float32Array(columns * columns);
  const share = weights(chosen.map((k) => angles[k]!));
  const middle = (columns - 1) / 2;
  const mask = prepared.length - 1;
  chosen.forEach((k, n) => {
    const turn = (angles[k]! * Math.PI) / 180;
    const [across, up] = [Math.cos(turn) * FINER, Math.sin(turn) * FINER];
    const samples = prepared.values.subarray(k * prepared.length, (k + 1) * prepared.length);
    const weight = share[n]!;
    for (let i = 0; i < columns; i++) {
      const y = middle - i;
      const reach = Math.sqrt(Math.max(0, columns ** 2 / 4 - y * y));
      const [first, last] = [Math.ceil(middle - reach), Math.floor(middle + reach)];
      let place = axis * FINER + (first - middle) * across + y * up + prepared.length; // above 0, so that | 0 rounds down
      for (let pixel = i * columns + first; pixel <= i * columns + last; pixel++, place += across) {
        const before = place | 0;
        const left = samples[before & mask]!;
        slice[pixel] = slice[pixel]! + weight * (left + (samples[(before + 1) & mask]! - left) * (place - before));
      }
    }
  });
  return slice;
}
