// The Fourier transform of complex numbers, in place; lengths are powers of two.

/** Transform; `back` gives the inverse, without dividing by the length. */
export function transform(re: Float64Array, im: Float64Array, back = false): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j]!, re[i]!];
      [im[i], im[j]] = [im[j]!, im[i]!];
    }
  }
  for (let length = 2; length <= n; length <<= 1) {
    const half = length >> 1;
    const turn = ((back ? 2 : -2) * Math.PI) / length;
    for (let k = 0; k < half; k++) {
      const [c, s] = [Math.cos(turn * k), Math.sin(turn * k)];
      for (let a = k; a < n; a += length) {
        const b = a + half;
        const [x, y] = [re[b]! * c - im[b]! * s, re[b]! * s + im[b]! * c];
        re[b] = re[a]! - x;
        im[b] = im[a]! - y;
        re[a] = re[a]! + x;
        im[a] = im[a]! + y;
      }
    }
  }
}
