// Two slices that are turned over, moved and zoomed together, with one cursor in both.
import { length, round } from "../slices/place";

const SVG = "http://www.w3.org/2000/svg";
const views = [...document.querySelectorAll<SVGSVGElement>(".compare-view")];
const slider = document.querySelector<HTMLInputElement>(".compare-form input[name=at]");
const box = { x: 0, y: 0, side: 1000 };

const cursors = views.map((view) => {
  const group = document.createElementNS(SVG, "g");
  group.setAttribute("class", "compare-cursor");
  for (let k = 0; k < 2; k++) group.append(document.createElementNS(SVG, "line"));
  view.append(group);
  return group;
});

/** Show the same part of both; what is drawn over keeps its size on the screen. */
function draw(): void {
  for (const view of views) {
    view.setAttribute("viewBox", `${box.x} ${box.y} ${box.side} ${box.side}`);
    const bar = view.querySelector(".compare-bar");
    bar?.setAttribute("transform", `translate(${box.x} ${box.y}) scale(${box.side / 1000})`);
    const [line, words] = [bar?.querySelector("rect"), bar?.querySelector("text")];
    if (!line || !words) continue;
    const seen = (Number(view.dataset["side"]) * box.side) / 1000; // m
    const long = round(0.3 * seen);
    line.setAttribute("width", String((1000 * long) / seen));
    line.setAttribute("x", String(970 - (1000 * long) / seen));
    words.textContent = length(long, true, 3);
  }
}

/** Where a hand points, in units of the drawing. */
function pointed(view: SVGSVGElement, event: MouseEvent): [number, number] {
  const place = view.getBoundingClientRect();
  const side = Math.min(place.width, place.height);
  return [
    box.x + ((event.clientX - place.left - (place.width - side) / 2) / side) * box.side,
    box.y + ((event.clientY - place.top - (place.height - side) / 2) / side) * box.side,
  ];
}

function cursor(x: number, y: number): void {
  for (const group of cursors) {
    const [across, down] = group.querySelectorAll("line");
    for (const [line, values] of [[across, [-9e3, y, 9e3, y]], [down, [x, -9e3, x, 9e3]]] as const) {
      ["x1", "y1", "x2", "y2"].forEach((name, k) => line!.setAttribute(name, String(values[k])));
    }
  }
}

function zoom(factor: number, [x, y]: [number, number]): void {
  const side = Math.max(20, Math.min(1000, box.side / factor));
  box.x = x - ((x - box.x) * side) / box.side;
  box.y = y - ((y - box.y) * side) / box.side;
  box.side = side;
  keep();
  draw();
}

const keep = () => {
  for (const name of ["x", "y"] as const) box[name] = Math.max(0, Math.min(1000 - box.side, box[name]));
};

for (const view of views) {
  const fingers = new Map<number, { x: number; y: number }>();
  view.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !fingers.size && !view.matches(".near")) return; // a wheel that passes over scrolls the page
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * 0.002), pointed(view, event));
  }, { passive: false });
  view.addEventListener("pointerdown", (event) => {
    view.setPointerCapture(event.pointerId);
    views.forEach((one) => one.classList.add("near"));
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  view.addEventListener("pointermove", (event) => {
    cursor(...pointed(view, event));
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (other) {
      const was = Math.hypot(before.x - other.x, before.y - other.y);
      if (was > 0) zoom(Math.hypot(event.clientX - other.x, event.clientY - other.y) / was, pointed(view, event));
      return;
    }
    const each = box.side / view.getBoundingClientRect().width;
    box.x -= (event.clientX - before.x) * each;
    box.y -= (event.clientY - before.y) * each;
    keep();
    draw();
  });
  for (const name of ["pointerup", "pointercancel"] as const) view.addEventListener(name, (event) => fingers.delete(event.pointerId));
  view.addEventListener("dblclick", () => { Object.assign(box, { x: 0, y: 0, side: 1000 }); draw(); });
}

/** Show the slices at the place of the slider in both. */
function turn(): void {
  const longest = Math.max(...views.map((view) => Number(view.dataset["count"]) * Number(view.dataset["step"])));
  for (const view of views) {
    const [count, step] = [Number(view.dataset["count"]), Number(view.dataset["step"])];
    const index = Math.floor(count / 2 + ((Number(slider!.value) / 1000) * longest) / step);
    const inside = index >= 0 && index < count;
    const picture = view.querySelector("image")!;
    if (inside) picture.setAttribute("href", view.dataset["pattern"]!.replace("INDEX", String(index)));
    picture.setAttribute("visibility", inside ? "visible" : "hidden");
    const told = view.closest("figure")!.querySelector("output")!;
    told.textContent = `${inside ? `${index} / ${count - 1}` : "beyond its end"} · ${told.textContent!.split(" · ").at(-1)}`;
    view.parentElement!.querySelector(".none")?.remove();
  }
}

slider?.addEventListener("input", turn);
slider?.addEventListener("change", () => {
  const address = new URL(location.href);
  address.searchParams.set("at", slider.value);
  history.replaceState(null, "", address);
});
document.querySelector(".compare-form select")?.addEventListener("change", (event) => {
  (event.target as HTMLSelectElement).form?.requestSubmit();
});
