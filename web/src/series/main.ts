// The moments of a series: a slider of time over the slices and the 3-D look, and an animation.
import { t } from "../shared/words";
export {};

type Plane = "z" | "y" | "x";

interface Moment {
  number: number;
  when: string;
  problem: string;
  pattern: string;
  volume: string;
  item: HTMLElement;
}

const SPEEDS = [1, 2, 5, 10, 25];
const FIRST_SPEED = 5;
const planes = document.querySelector<HTMLElement>(".planes.series");
const form = document.querySelector<HTMLFormElement>("#series-form");
const slider = document.querySelector<HTMLInputElement>("#series-moment");
const figures = [...document.querySelectorAll<HTMLElement>(".series figure[data-plane]")];
const look = document.querySelector<HTMLElement>(".series figure.look");
const told = form?.querySelector("output");
const moments: Moment[] = [...document.querySelectorAll<HTMLElement>(".series-moments > li")].map((item) => ({
  number: Number(item.dataset["number"]),
  when: item.dataset["when"] ?? "",
  problem: item.dataset["problem"] ?? "",
  pattern: item.dataset["pattern"] ?? "",
  volume: item.dataset["volume"] ?? "",
  item,
}));

let at = Number(planes?.dataset["number"] ?? 1);
let asked = 0;

const sliderOf = (plane: Plane) => document.querySelector<HTMLInputElement>(`#series-${plane}`)!;
const address = (moment: Moment, plane: Plane) =>
  moment.pattern.replace("z-INDEX", `${plane}-${sliderOf(plane).value}`);

/** Fetch a picture and unpack it, so that it is there at once when it is shown. */
async function fetched(source: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = source;
  await image.decode();
  return image;
}

const fetchAhead = (moment: Moment) =>
  Promise.allSettled(figures.map((figure) => fetched(address(moment, figure.dataset["plane"] as Plane))));

/** Show a moment: all pictures of it at once, never those of two moments together. */
async function show(number: number): Promise<void> {
  const moment = moments[number - 1];
  if (!moment) return;
  const turn = ++asked;
  at = number;
  tell(moment);
  if (moment.problem) {
    for (const figure of figures) say(figure, figure === figures[0] ? `${t("Moment %(number)s", { number })}: ${moment.problem}` : t("Not shown"));
    planes!.dataset["shown"] = String(number);
    return;
  }
  const waits: Promise<unknown>[] = [];
  if (look && moment.volume && look.dataset["volume"] !== moment.volume) {
    look.dataset["volume"] = moment.volume;
    look.dispatchEvent(new CustomEvent("look-volume", { detail: waits }));
  }
  const came = await fetchAhead(moment);
  await Promise.all(waits);
  if (turn !== asked) return; // the reader went on
  figures.forEach((figure, k) => {
    const picture = came[k]!;
    if (picture.status === "rejected") {
      say(figure, `${t("Moment %(number)s", { number })}: ${t("the picture could not be fetched")}`);
      return;
    }
    place(figure, picture.value, moment);
  });
  planes!.dataset["shown"] = String(number);
}

function place(figure: HTMLElement, picture: HTMLImageElement, moment: Moment): void {
  const fit = figure.querySelector(".fit")!;
  const before = fit.querySelector("img");
  const other = document.querySelector<HTMLImageElement>(`.series figure[data-plane="${figure.dataset["plane"]}"] img`);
  for (const name of ["width", "height"]) {
    const side = (before ?? other)?.getAttribute(name);
    if (side) picture.setAttribute(name, side);
  }
  const plane = figure.dataset["plane"] as Plane;
  picture.alt = `Slice ${sliderOf(plane).value} along ${plane}, moment ${moment.number} of ${moments.length}`;
  if (before) before.replaceWith(picture);
  else fit.prepend(picture);
  say(figure, "");
}

/** Say over a picture why there is none; "" shows the picture. */
function say(figure: HTMLElement, words: string): void {
  let said = figure.querySelector<HTMLElement>(".none");
  if (!said) {
    said = document.createElement("p");
    said.className = "none";
    said.append(document.createElement("span"));
    figure.querySelector(".frame")!.append(said);
  }
  said.querySelector("span")!.textContent = words;
  said.hidden = !words;
}

function tell(moment: Moment): void {
  slider!.value = String(moment.number);
  told!.textContent = `${t("%(number)s of %(count)s", { number: moment.number, count: moments.length })}${moment.when ? ` · ${moment.when}` : ""}`;
  for (const one of moments) {
    if (one === moment) one.item.setAttribute("aria-current", "true");
    else one.item.removeAttribute("aria-current");
  }
}

/** Keep what is seen in the address, so that it can be sent to others. */
function remember(): void {
  const here = new URL(location.href);
  here.searchParams.set("moment", String(at));
  for (const figure of figures) {
    const plane = figure.dataset["plane"] as Plane;
    here.searchParams.set(plane, sliderOf(plane).value);
  }
  history.replaceState(null, "", here);
}

/** The next moment that can be shown, from the end back to the first. */
function next(from: number, step: number): number {
  const count = moments.length;
  for (let k = 1; k <= count; k++) {
    const number = ((((from - 1 + k * step) % count) + count) % count) + 1;
    if (!moments[number - 1]!.problem) return number;
  }
  return from;
}

const wait = (ms: number) => new Promise((done) => setTimeout(done, Math.max(0, ms)));

function animate(): void {
  const button = (words: string, label: string, act: () => void) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = words;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    return made;
  };
  let playing = 0;
  const speed = document.createElement("select");
  speed.setAttribute("aria-label", t("Moments a second"));
  for (const one of SPEEDS) speed.append(new Option(t("%(number)s a second", { number: one }), String(one), one === FIRST_SPEED, one === FIRST_SPEED));
  const stop = () => {
    if (!playing) return;
    playing = 0;
    play.textContent = t("Play");
    play.setAttribute("aria-label", t("Play the moments"));
    planes!.dataset["playing"] = "";
    remember();
  };
  async function run(turn: number): Promise<void> {
    while (playing === turn) {
      const start = performance.now();
      await show(next(at, 1));
      void fetchAhead(moments[next(at, 1) - 1]!);
      await wait(1000 / Number(speed.value) - (performance.now() - start));
    }
  }
  let turns = 0;
  const play = button(t("Play"), t("Play the moments"), () => {
    if (playing) {
      stop();
      return;
    }
    playing = ++turns;
    play.textContent = t("Stop");
    play.setAttribute("aria-label", t("Stop"));
    planes!.dataset["playing"] = "true";
    void run(playing);
  });
  const step = (by: number) => {
    stop();
    void show(next(at, by)).then(remember);
  };
  form!.append(
    play, button("−", t("Previous moment"), () => step(-1)), button("+", t("Next moment"), () => step(1)), speed,
  );
  slider!.addEventListener("input", () => {
    stop();
    void show(Number(slider!.value));
  });
  slider!.addEventListener("change", remember);
  for (const figure of figures) {
    const one = sliderOf(figure.dataset["plane"] as Plane);
    one.addEventListener("input", () => {
      figure.querySelector("output")!.textContent = `${one.value} / ${one.max}`;
      void show(at);
    });
    one.addEventListener("change", remember);
  }
  planes!.dataset["state"] = "ready";
  planes!.dataset["shown"] = String(at);
}

if (planes && form && slider && told && moments.length > 0) animate();
