// The light table follows the hand; without this script its form, its links and its files do the same.
import { measureOf, type Measure, type Tool } from "./measure";
import { paneOf, type Coordinates, type Pane, type Whole } from "./pane";
import { STYLE } from "./style";
import { handlesOf } from "./window";
import { t } from "../shared/words";

const sheet = new CSSStyleSheet();
sheet.replaceSync(STYLE);
document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];

/** The ways to draw axes, which one is drawn, and why there are no positions of motors. */
interface Axes {
  words: Record<string, string>;
  ways: Record<string, Record<string, Coordinates>>;
  way: string;
  lacking: string;
  choose(way: string): void;
}

for (const form of document.querySelectorAll<HTMLFormElement>("form.slices")) enrich(form);

function enrich(form: HTMLFormElement): void {
  const table = form.closest(".planes") ?? form;
  const panes = new Map<string, Pane>();
  const measures = new Map<string, Measure>();
  let later = 0;
  const whole: Whole = {
    window: windowOf(new URL(location.href), form),
    clicked(pane, voxel) {
      const measure = measures.get(pane.plane);
      if (measure?.tool) {
        measure.point(voxel);
        return;
      }
      move(pane.figure.dataset["across"]!, Math.floor(voxel[0]));
      move(pane.figure.dataset["down"]!, Math.floor(voxel[1]));
    },
    changed() {
      clearTimeout(later);
      later = window.setTimeout(remember, 250);
    },
  };
  const axes: Axes = {
    words: JSON.parse(form.dataset["ways"]!), ways: JSON.parse(form.dataset["axes"]!),
    way: form.dataset["way"]!, lacking: form.dataset["lacking"] ?? "",
    choose(way) {
      axes.way = way;
      for (const pane of panes.values()) {
        pane.ruler = axes.ways[way] ?? null;
        pane.figure.querySelector<HTMLSelectElement>(".slice-tools select")!.value = way;
        pane.tell();
        pane.draw();
      }
      whole.changed();
    },
  };
  form.querySelector(".take-axes")?.remove(); // the menu of each slice takes its place
  for (const figure of form.querySelectorAll<HTMLElement>(".slice")) {
    const pane = paneOf(figure, whole);
    panes.set(pane.plane, pane);
    measures.set(pane.plane, measureOf(pane, form.dataset["unit"] ?? ""));
    tools(pane, measures.get(pane.plane)!, axes);
    listen(pane);
  }
  const near = /^([zyx]),([\d.]+),([\d.]+),([\d.]+)$/.exec(new URL(location.href).searchParams.get("near") ?? "");
  const nearest = near && panes.get(near[1]!);
  if (nearest) nearest.near = { zoom: Math.max(1, Number(near[2])), x: Number(near[3]), y: Number(near[4]) };
  panes.forEach((pane) => {
    pane.ruler = axes.ways[axes.way] ?? null;
    pane.draw();
  });
  handlesOf(table, form, (window) => {
    whole.window = window;
    panes.forEach((pane) => pane.show());
    whole.changed();
  });
  form.dataset["state"] = "ready";

  /** Set the slice along an axis, and where it cuts the two others. */
  function move(plane: string, index: number): void {
    const pane = panes.get(plane)!;
    const slider = pane.figure.querySelector<HTMLInputElement>("input[type=range]")!;
    const wanted = String(Math.max(0, Math.min(Number(slider.max), index)));
    if (wanted !== slider.value) {
      slider.value = wanted;
      shown(pane);
    }
    whole.changed();
  }

  function shown(pane: Pane): void {
    pane.show();
    const count = Number(pane.figure.querySelector<HTMLInputElement>("input[type=range]")!.max) + 1;
    const part = `${((100 * (pane.index() + 0.5)) / count).toFixed(3)}%`;
    for (const line of form.querySelectorAll(`[data-cut=${pane.plane}]`)) {
      const vertical = line.getAttribute("y1") === "0";
      for (const name of vertical ? ["x1", "x2"] : ["y1", "y2"]) line.setAttribute(name, part);
    }
  }

  function listen(pane: Pane): void {
    const slider = pane.figure.querySelector<HTMLInputElement>("input[type=range]")!;
    slider.addEventListener("input", () => { shown(pane); whole.changed(); });
    for (const step of pane.figure.querySelectorAll<HTMLAnchorElement>("a.step")) {
      step.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        move(pane.plane, pane.index() + (step.rel === "next" ? 1 : -1));
      });
    }
    pane.frame.addEventListener("keydown", (event) => {
      if (event.target !== pane.frame || event.ctrlKey || event.metaKey) return;
      const far = event.shiftKey ? 10 : 1;
      const by = (plane: string | undefined, change: number) => move(plane!, panes.get(plane!)!.index() + change);
      const { across, down } = pane.figure.dataset;
      const keys: Record<string, () => void> = {
        ArrowLeft: () => by(across, -far), ArrowRight: () => by(across, far),
        ArrowUp: () => by(down, -far), ArrowDown: () => by(down, far),
        PageUp: () => by(pane.plane, -far), PageDown: () => by(pane.plane, far),
        "+": () => pane.zoom(1.4), "=": () => pane.zoom(1.4), "-": () => pane.zoom(1 / 1.4),
        "0": () => pane.zoom(0), f: () => fullScreen(pane), Escape: () => measures.get(pane.plane)!.clear(),
      };
      const act = keys[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
  }

  /** Keep what is shown in the address, in the other links of this page, and in those of the files. */
  function remember(): void {
    const address = new URL(location.href);
    const kept: [string, string | null][] = [...panes].map(([plane, pane]) => [plane, String(pane.index())]);
    kept.push(["low", whole.window && String(whole.window[0])], ["high", whole.window && String(whole.window[1])]);
    const close = [...panes.values()].find((pane) => pane.near.zoom > 1);
    const { zoom, x, y } = close?.near ?? { zoom: 1, x: 0, y: 0 };
    kept.push(["axes", axes.way === "none" ? null : axes.way]);
    kept.push(["near", close ? [close.plane, zoom.toFixed(2), x.toFixed(3), y.toFixed(3)].join(",") : null]);
    const put = (target: URL) => {
      for (const [key, text] of kept) text === null ? target.searchParams.delete(key) : target.searchParams.set(key, text);
    };
    put(address);
    history.replaceState(null, "", address);
    for (const link of document.querySelectorAll<HTMLAnchorElement>("a[href*='?']:not(.step, .take)")) {
      if (link.pathname !== location.pathname) continue;
      const target = new URL(link.href);
      put(target);
      link.href = target.href;
    }
    for (const pane of panes.values()) {
      const region: Record<string, string> = pane.region() ? { region: pane.region()!.join(",") } : {};
      const [png, tiff] = pane.figure.querySelectorAll<HTMLAnchorElement>("a.take");
      if (png) png.href = pane.address("png", { ...region, cite: "1" });
      if (tiff) tiff.href = pane.address("tif", region);
    }
  }
}

function windowOf(address: URL, form: HTMLFormElement): [number, number] | null {
  const [low, high] = ["low", "high"].map((name) => address.searchParams.get(name));
  if (!low && !high) return null;
  const usual = (form.dataset["usual"] ?? "").split(" ").map(Number);
  return [low ? Number(low) : usual[0]!, high ? Number(high) : usual[1]!];
}

function fullScreen(pane: Pane): void {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void pane.figure.requestFullscreen?.();
}

/** Put the tools of a slice into its frame. */
function tools(pane: Pane, measure: Measure, axes: Axes): void {
  const bar = document.createElement("div");
  bar.className = "slice-tools";
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", t("Tools for %(axis)s", { axis: pane.plane }));
  const buttons = (["distance", "angle", "profile"] as Tool[]).map((tool) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = t(tool[0]!.toUpperCase() + tool.slice(1));
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      measure.choose(measure.tool === tool ? null : tool);
      buttons.forEach((one) => one.setAttribute("aria-pressed", String(one === button && measure.tool === tool)));
    });
    return button;
  });
  const ruler = document.createElement("select");
  ruler.setAttribute("aria-label", t("Axes"));
  for (const [value, words] of Object.entries(axes.words)) ruler.append(new Option(words, value));
  if (axes.lacking) {
    const option = new Option(t("no motor positions: %(why)s", { why: axes.lacking }), "");
    option.disabled = true;
    ruler.append(option);
  }
  ruler.value = axes.way;
  ruler.addEventListener("change", () => axes.choose(ruler.value));
  const full = document.createElement("button");
  full.type = "button";
  full.textContent = t("Full screen");
  full.addEventListener("click", () => fullScreen(pane));
  full.hidden = !document.fullscreenEnabled;
  bar.append(...buttons, ruler, full);
  pane.frame.append(bar);
}
