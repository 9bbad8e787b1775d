// The model of a page that needs no other file: it is unpacked, drawn by WebGL 2, turned, enlarged and cut.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const { words, mesh, decimal } = JSON.parse(byId("about-model").textContent);
  const canvas = byId("model");
  const AMBIENT = 0.22, BONE = [232 / 255, 220 / 255, 196 / 255], INSIDE = [0.72, 0.36, 0.27];
  const middle = [0, 1, 2].map((k) => (mesh.low[k] + mesh.high[k]) / 2);
  const lengths = [0, 1, 2].map((k) => mesh.high[k] - mesh.low[k]);
  const radius = Math.hypot(...lengths) / 2;
  const FIRST = { around: 35, above: 22, enlarged: 1, right: 0, up: 0 };
  const seen = { ...FIRST };
  const cut = { axis: -1, part: 0.5, other: false };
  let gl, places, count, waiting = false;

  /** Leave the pictures, and say why there is no model. */
  function leave(why) {
    byId("why").textContent = why;
    document.body.dataset.model = "pictures";
  }

  /** Unpack the packed numbers: triangles and corners as differences from the ones before, byte by byte. */
  async function unpack() {
    const packed = Uint8Array.from(atob(byId("packed-model").textContent), (one) => one.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const numbers = 3 * mesh.corners, corners = 3 * mesh.triangles;
    if (bytes.length !== 2 * numbers + 4 * corners) throw new Error("length");
    const steps = new Float32Array(numbers), faces = new Uint32Array(corners);
    for (let axis = 0; axis < 3; ++axis) {
      const from = 2 * axis * mesh.corners, size = lengths[axis] / 65535;
      for (let k = 0, step = 0; k < mesh.corners; ++k) {
        step = (step + bytes[from + k] + 256 * bytes[from + mesh.corners + k]) & 0xffff;
        steps[3 * k + axis] = mesh.low[axis] + step * size - middle[axis];
      }
    }
    for (let k = 0, corner = 0, from = 2 * numbers; k < corners; ++k) {
      corner += bytes[from + k] | bytes[from + corners + k] << 8 | bytes[from + 2 * corners + k] << 16 |
        bytes[from + 3 * corners + k] << 24;
      if (corner < 0 || corner >= mesh.corners) throw new Error("corner");
      faces[k] = corner;
    }
    return { steps, faces };
  }

  /** Normals at corners: the sum of those of the triangles around, by their areas. */
  function normalsOf(steps, faces) {
    const normals = new Float32Array(steps.length);
    for (let k = 0; k < faces.length; k += 3) {
      const [a, b, c] = [3 * faces[k], 3 * faces[k + 1], 3 * faces[k + 2]];
      const u = [0, 1, 2].map((n) => steps[b + n] - steps[a + n]), v = [0, 1, 2].map((n) => steps[c + n] - steps[a + n]);
      const normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
      for (const corner of [a, b, c]) for (let n = 0; n < 3; ++n) normals[corner + n] += normal[n];
    }
    return normals;
  }

  const VERTEX = `#version 300 es
    in vec3 place; in vec3 normal; uniform mat3 turn; uniform vec2 shift, scale; uniform float deep;
    out vec3 turned, at, toEye;
    void main() {
      at = place; turned = turn * normal; toEye = turn * place;
      gl_Position = vec4((toEye.xy - shift) * scale, -toEye.z * deep, 1.0);
    }`;
  // An edge sharper than 40° is shown as one. What is seen of the inside, where the body is cut, has one colour.
  const FRAGMENT = `#version 300 es
    precision highp float;
    in vec3 turned, at, toEye; uniform vec4 cut; uniform bool isCut; uniform vec3 bone, inside; uniform float ambient;
    out vec4 colour;
    void main() {
      if (isCut && dot(cut.xyz, at) > cut.w) discard;
      if (isCut && !gl_FrontFacing) { colour = vec4(inside, 1.0); return; }
      vec3 flatNormal = normalize(cross(dFdx(toEye), dFdy(toEye)));
      vec3 smoothNormal = normalize(turned + 1e-30) * (gl_FrontFacing ? 1.0 : -1.0);
      vec3 normal = dot(flatNormal, smoothNormal) < 0.766 ? flatNormal : smoothNormal;
      float light = ambient + 0.85 * max(0.0, dot(normal, normalize(vec3(-0.5, 0.6, 0.62))))
        + 0.22 * max(0.0, dot(normal, normalize(vec3(0.8, 0.1, 0.4))));
      colour = vec4(bone * min(light, 1.0), 1.0);
    }`;

  function prepare(steps, faces) {
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    gl.useProgram(program);
    for (const [name, numbers] of [["place", steps], ["normal", normalsOf(steps, faces)]]) {
      const number = gl.getAttribLocation(program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
      gl.bufferData(gl.ARRAY_BUFFER, numbers, gl.STATIC_DRAW);
      gl.enableVertexAttribArray(number);
      gl.vertexAttribPointer(number, 3, gl.FLOAT, false, 0, 0);
    }
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, faces, gl.STATIC_DRAW);
    gl.enable(gl.DEPTH_TEST);
    places = Object.fromEntries(["turn", "shift", "scale", "deep", "cut", "isCut", "bone", "inside", "ambient"]
      .map((name) => [name, gl.getUniformLocation(program, name)]));
    gl.uniform3fv(places.bone, BONE);
    gl.uniform3fv(places.inside, INSIDE);
    gl.uniform1f(places.ambient, AMBIENT);
    gl.uniform1f(places.deep, 1 / (1.02 * radius));
    count = faces.length;
  }

  /** Pixels of the page that a unit of length takes: in parallel projection the same everywhere. */
  function pixelsPerUnit() {
    return seen.enlarged * 0.94 * Math.min(canvas.clientWidth, canvas.clientHeight) / (2 * radius);
  }

  /** Rows: to the right, upwards, and towards the eye. */
  function turnNow() {
    const [a, e] = [seen.around * Math.PI / 180, seen.above * Math.PI / 180];
    const right = [Math.cos(a), Math.sin(a), 0];
    const eye = [Math.sin(a) * Math.cos(e), -Math.cos(a) * Math.cos(e), Math.sin(e)];
    const up = [eye[1] * right[2] - eye[2] * right[1], eye[2] * right[0] - eye[0] * right[2],
      eye[0] * right[1] - eye[1] * right[0]];
    return [right, up, eye];
  }

  function draw() {
    waiting = false;
    const sharp = Math.min(2, window.devicePixelRatio || 1);
    const [wide, high] = [Math.round(canvas.clientWidth * sharp), Math.round(canvas.clientHeight * sharp)];
    if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
    gl.viewport(0, 0, wide, high);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    const rows = turnNow(), pixels = pixelsPerUnit();
    gl.uniformMatrix3fv(places.turn, false, [0, 1, 2].flatMap((column) => rows.map((row) => row[column])));
    gl.uniform2f(places.shift, seen.right, seen.up);
    gl.uniform2f(places.scale, 2 * pixels / canvas.clientWidth, 2 * pixels / canvas.clientHeight);
    const plane = [0, 0, 0, 0], side = cut.other ? -1 : 1;
    if (cut.axis >= 0) {
      plane[cut.axis] = side;
      plane[3] = side * (cut.part - 0.5) * lengths[cut.axis];
    }
    gl.uniform4fv(places.cut, plane);
    gl.uniform1i(places.isCut, cut.axis >= 0 ? 1 : 0);
    gl.drawElements(gl.TRIANGLES, count, gl.UNSIGNED_INT, 0);
    scaleBar(pixels);
    document.body.dataset.drawn = String(1 + Number(document.body.dataset.drawn || 0));
  }

  function again() {
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  }

  /** Write a length with three digits; mm as µm where that is shorter. */
  function told(length, digits) {
    const small = mesh.unit === "mm" && length < 0.1;
    const text = String(Number((small ? length * 1000 : length).toPrecision(digits)));
    return `${text.replace(".", decimal)} ${small ? "µm" : mesh.unitWord}`;
  }

  function scaleBar(pixels) {
    const most = 0.3 * canvas.clientWidth / pixels, power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map((digit) => digit * power).find((one) => one <= most * (1 + 1e-9));
    const bar = byId("scale-bar");
    bar.style.width = `${length * pixels}px`;
    bar.textContent = told(length, 1);
    bar.dataset.length = String(length);
  }

  function turn(around, above) {
    seen.around = (seen.around + around) % 360;
    seen.above = Math.max(-90, Math.min(90, seen.above + above));
    again();
  }

  function enlarge(times) {
    seen.enlarged = Math.max(0.5, Math.min(200, seen.enlarged * times));
    again();
  }

  function move(right, up) {
    const pixels = pixelsPerUnit(), most = radius;
    seen.right = Math.max(-most, Math.min(most, seen.right - right / pixels));
    seen.up = Math.max(-most, Math.min(most, seen.up + up / pixels));
    again();
  }

  /** One finger, or the mouse, turns; two fingers enlarge and move; the mouse with Shift or the right button moves. */
  function listen() {
    const held = new Map();
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      held.set(event.pointerId, [event.clientX, event.clientY]);
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = held.get(event.pointerId);
      if (!before) return;
      const now = [event.clientX, event.clientY], [dx, dy] = [now[0] - before[0], now[1] - before[1]];
      const other = [...held].find(([id]) => id !== event.pointerId);
      if (other) {
        const apart = (one) => Math.hypot(one[0] - other[1][0], one[1] - other[1][1]);
        if (apart(before) > 1) enlarge(apart(now) / apart(before));
        move(dx / 2, dy / 2);
      } else if (event.shiftKey || event.buttons === 2) move(dx, dy);
      else turn(-dx * 0.4, dy * 0.4);
      held.set(event.pointerId, now);
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => held.delete(event.pointerId));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      enlarge(Math.exp(-Math.max(-200, Math.min(200, event.deltaY)) * 0.002));
    }, { passive: false });
    const keys = {
      ArrowLeft: () => turn(10, 0), ArrowRight: () => turn(-10, 0), ArrowUp: () => turn(0, 10), ArrowDown: () => turn(0, -10),
      "+": () => enlarge(1.25), "=": () => enlarge(1.25), "-": () => enlarge(0.8),
      Home: () => reset(), 0: () => reset(), PageUp: () => moveCut(0.02), PageDown: () => moveCut(-0.02),
    };
    canvas.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
    });
    byId("larger").addEventListener("click", () => enlarge(1.25));
    byId("smaller").addEventListener("click", () => enlarge(0.8));
    byId("left").addEventListener("click", () => turn(15, 0));
    byId("right").addEventListener("click", () => turn(-15, 0));
    byId("reset").addEventListener("click", reset);
    byId("cut-axis").addEventListener("change", (event) => {
      cut.axis = Number(event.target.value);
      showCut();
    });
    byId("cut-place").addEventListener("input", (event) => {
      cut.part = Number(event.target.value) / 1000;
      showCut();
    });
    byId("cut-other").addEventListener("change", (event) => {
      cut.other = event.target.checked;
      showCut();
    });
    canvas.addEventListener("webglcontextlost", () => leave(words.lost));
    new ResizeObserver(again).observe(canvas);
  }

  function reset() {
    Object.assign(seen, FIRST);
    again();
  }

  function moveCut(part) {
    if (cut.axis < 0) return;
    cut.part = Math.max(0, Math.min(1, cut.part + part));
    byId("cut-place").value = String(Math.round(1000 * cut.part));
    showCut();
  }

  function showCut() {
    const is = cut.axis >= 0;
    byId("cut-place").disabled = byId("cut-other").disabled = !is;
    byId("cut-told").textContent = is ? told(cut.part * lengths[cut.axis], 3) : "";
    again();
  }

  async function start() {
    gl = canvas.getContext("webgl2", { antialias: true, alpha: true });
    if (!gl) return leave(words.none);
    let numbers;
    try {
      numbers = await unpack();
    } catch {
      return leave(words.packed);
    }
    document.body.dataset.model = "shown";
    try {
      prepare(numbers.steps, numbers.faces);
    } catch {
      return leave(words.none);
    }
    byId("cut-axis").value = "-1";
    listen();
    showCut();
  }

  start();
})();
