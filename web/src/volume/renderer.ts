// Draws a small volume with WebGL 2: one triangle, one ray for each pixel.
import { FRAGMENT, VERTEX } from "./shader";
import { axesOf, halfHeight, type Triple, type View } from "./view";

export const STYLES = ["surface", "translucent", "x-ray", "brightest"] as const;
export type Style = (typeof STYLES)[number];

/** What is drawn: the view, how, from which grey value on (0 to 1), and the box that is taken out. */
export interface Scene {
  view: View;
  style: Style;
  threshold: number;
  out: [Triple, Triple];
}

export interface Renderer {
  half: Triple;
  /** Draw, and tell how many milliseconds it took. */
  draw(scene: Scene, width: number, height: number): number;
  /** Draw another volume of the same shape from now on. */
  exchange(grey: Uint8Array): void;
  close(): void;
}

/** Put a volume (x fastest) on the graphics card; throws what the reader can be told. */
export function rendererOf(canvas: HTMLCanvasElement, grey: Uint8Array, shape: Triple, extent: Triple): Renderer {
  const gl = canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true, preserveDrawingBuffer: true });
  if (!gl) throw new Error("This browser has no WebGL 2");
  const most = gl.getParameter(gl.MAX_3D_TEXTURE_SIZE) as number;
  if (Math.max(...shape) > most) throw new Error(`The graphics card holds volumes of at most ${most} voxels along a side`);
  const program = programOf(gl);
  const [nx, ny, nz] = shape;
  gl.bindTexture(gl.TEXTURE_3D, gl.createTexture());
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  gl.texStorage3D(gl.TEXTURE_3D, 1, gl.RG8, nx, ny, nz);
  gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, 0, nx, ny, nz, gl.RG, gl.UNSIGNED_BYTE, withSmoothed(grey, shape));
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_3D, name, gl.LINEAR);
  for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R]) {
    gl.texParameteri(gl.TEXTURE_3D, name, gl.CLAMP_TO_EDGE);
  }
  if (gl.getError() !== gl.NO_ERROR) throw new Error("The graphics card has no room for this volume");
  const longest = Math.max(...extent);
  const half = extent.map((length) => length / longest) as Triple;
  const pixel = new Uint8Array(4);
  const place = (name: string) => gl.getUniformLocation(program, name);
  const triple = (name: string, value: Triple) => gl.uniform3f(place(name), ...value);
  return {
    half,
    draw({ view, style, threshold, out }, width, height) {
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      gl.viewport(0, 0, width, height);
      gl.useProgram(program);
      const [right, up, towards] = axesOf(view);
      triple("half_", half);
      triple("voxel", half.map((length, axis) => (2 * length) / shape[axis]!) as Triple);
      triple("right", right);
      triple("up", up);
      triple("towards", towards);
      triple("outLow", out[0]);
      triple("outHigh", out[1]);
      gl.uniform2f(place("stage"), width, height);
      gl.uniform2f(place("moved"), ...view.moved);
      gl.uniform1f(place("reach"), halfHeight(view, half, width / height));
      gl.uniform1f(place("threshold"), threshold);
      gl.uniform1i(place("style"), STYLES.indexOf(style));
      const start = performance.now();
      gl.drawArrays(gl.TRIANGLES, 0, 3);
      gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel); // waits for the graphics card
      return performance.now() - start;
    },
    exchange: (other) =>
      gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, 0, nx, ny, nz, gl.RG, gl.UNSIGNED_BYTE, withSmoothed(other, shape)),
    close: () => gl.getExtension("WEBGL_lose_context")?.loseContext(),
  };
}

function programOf(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(kind)!;
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
      throw new Error(`The graphics card refused to draw (${gl.getShaderInfoLog(shader)?.slice(0, 200)})`);
    }
  }
  gl.linkProgram(program);
  return program;
}

/** Put each grey value beside its mean over the neighbours (1 4 6 4 1 along each axis), against noise in surfaces. */
export function withSmoothed(grey: Uint8Array, [nx, ny, nz]: Triple): Uint8Array {
  let from: Uint8Array = grey;
  for (const [step, count] of [[1, nx], [nx, ny], [nx * ny, nz]] as const) {
    const to = new Uint8Array(from.length);
    for (let k = 0; k < from.length; k++) {
      const at = Math.floor(k / step) % count;
      const one = at > 0 ? k - step : k;
      const two = at > 1 ? k - 2 * step : one;
      const three = at + 1 < count ? k + step : k;
      const four = at + 2 < count ? k + 2 * step : three;
      to[k] = (from[two]! + from[four]! + 4 * (from[one]! + from[three]!) + 6 * from[k]! + 8) >> 4;
    }
    from = to;
  }
  const both = new Uint8Array(2 * grey.length);
  for (let k = 0; k < grey.length; k++) {
    both[2 * k] = grey[k]!;
    both[2 * k + 1] = from[k]!;
  }
  return both;
}
