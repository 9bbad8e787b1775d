// The pages of work: each change asks a worker for a slice, and what the server then shows is put in place of what is
// shown. Without this script the form is sent, and the page loads itself anew until the slice is there.
import { decimal, t } from "../shared/words";

const ASK_MS = 250;
const LOOK_MS = 250;
const JOB_MS = 1000;

const work = document.getElementById("work");
const form = document.getElementById("work-form") as HTMLFormElement | null;

/** Take parts of a page of the server in the place of those shown, where that is still wanted when they come. */
async function renew(address: string, ids: string[], wanted = () => true): Promise<Document | null> {
  const answer = await fetch(address, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (!answer.ok) return null;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!wanted()) return null;
  for (const id of ids) {
    const [fresh, shown] = [page.getElementById(id), document.getElementById(id)];
    if (!fresh || !shown) continue;
    const held = shown.contains(document.activeElement) ? document.activeElement?.id : "";
    for (const input of shown.querySelectorAll<HTMLInputElement>("input[type=text]")) { // what was typed stays
      const same = page.getElementById(input.id);
      if (same instanceof HTMLInputElement) same.value = input.value;
    }
    shown.replaceWith(document.adoptNode(fresh));
    if (held) document.getElementById(held)?.focus({ preventScroll: true });
  }
  return page;
}

const pause = (ms: number) => new Promise((go) => setTimeout(go, ms));

interface Told { state: "waiting" | "running" | "done" | "failed" | "cancelled"; sentence: string }

/** Say how far a job is: the portal sends the sentence in the language of the page, the state as programs know it. */
function inWords(told: Told): string {
  return told.sentence ? `${t(told.state)}: ${told.sentence}` : t(told.state);
}

/** Wait until a job is at its end, telling how far it is. */
async function end(address: string, wanted: () => boolean, tell: (told: Told) => void): Promise<Told | null> {
  while (wanted()) {
    try {
      const answer = await fetch(address, { cache: "no-store" });
      if (answer.status === 404 || answer.status === 401) return null;
      if (answer.ok) {
        const told = (await answer.json()) as Told;
        if (!["waiting", "running"].includes(told.state)) return told;
        tell(told);
      }
    } catch {
      tell({ state: "waiting", sentence: t("the portal does not answer; asking again") });
      await pause(JOB_MS);
    }
    await pause(LOOK_MS);
  }
  return null;
}

function bench(form: HTMLFormElement, work: HTMLElement): void {
  const field = (name: string) => form.elements.namedItem(name) as HTMLInputElement;
  const progress = document.getElementById("work-progress")!;
  const problem = document.getElementById("work-problem")!;
  let turn = 0;
  let timer = 0;

  const say = (text: string) => {
    problem.hidden = !text;
    problem.querySelector("p")!.textContent = text;
  };
  const tell = (told: Told) => {
    const text = inWords(told);
    if (progress.textContent !== text) progress.textContent = text;
  };

  async function ask(): Promise<void> {
    const mine = ++turn;
    const body = new URLSearchParams();
    for (const [name, value] of new FormData(form)) body.set(name, String(value));
    body.set("what", "slice");
    body.delete("add"); // a step is added by sending the form, for its fields come from the server
    document.getElementById("work-shown")?.classList.add("work-shown-old");
    launchable(false);
    let answer: Response;
    try {
      answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
    } catch {
      if (mine === turn) say(t("The portal does not answer; nothing was asked for. Try again in a moment."));
      return;
    }
    const told = await answer.json().catch(() => ({}));
    if (mine !== turn) return;
    if (!answer.ok) {
      say(String(told.detail ?? told.error ?? t("This was refused.")));
      progress.textContent = "";
      return;
    }
    say("");
    history.replaceState(null, "", told.address);
    await follow(told.state, told.address, mine);
  }

  async function follow(state: string, address: string, mine: number): Promise<void> {
    const ended = await end(state, () => mine === turn, tell);
    if (mine !== turn) return;
    if (ended?.state === "done") {
      await renew(address, ["work-shown", "work-made"], () => mine === turn);
      if (mine !== turn) return;
      const job = /look=(\d+)/.exec(address)?.[1];
      if (job) field("look").value = job;
      progress.textContent = "";
      picture();
    } else if (ended?.state === "failed") {
      say(ended.sentence);
      progress.textContent = "";
    } else if (ended) {
      tell(ended);
    }
  }

  /** A volume is only made with the protocol of the slice that is shown. */
  function launchable(may: boolean): void {
    const button = document.querySelector<HTMLButtonElement>(".work-launch button");
    if (button) button.disabled = !may;
  }

  function soon(ms = ASK_MS): void {
    clearTimeout(timer);
    timer = window.setTimeout(() => void ask(), ms);
  }

  /** Put a slider under each number that has a range. */
  function sliders(): void {
    for (const input of form.querySelectorAll<HTMLInputElement>("[data-slide]")) {
      const words = input.dataset["slide"]!.split(" ");
      const log = words[0] === "log";
      const [low, high] = (log ? words.slice(1) : words).map(Number) as [number, number];
      const range = document.createElement("input");
      Object.assign(range, { type: "range", min: log ? "0" : String(low), max: log ? "1000" : String(high) });
      range.step = log ? "1" : words[2]!;
      range.setAttribute("aria-label", t("%(label)s, slider", { label: form.querySelector(`label[for="${input.id}"]`)?.textContent ?? "" }));
      const usual = log ? 0 : Number(input.name === "ring_strength" ? high : (low + high) / 2);
      const place = () => {
        const value = Number.parseFloat(input.value);
        if (!Number.isFinite(value)) range.value = String(usual);
        else range.value = String(log ? (1000 * Math.log(value / low)) / Math.log(high / low) : value);
      };
      place();
      range.addEventListener("input", () => {
        const at = Number(range.value);
        if (log) input.value = at === 0 ? "" : (low * (high / low) ** (at / 1000)).toPrecision(3).replace(/\.?0+$/, (zeros) => zeros.startsWith(".") ? "" : zeros);
        else input.value = String(at);
        if (log && input.value) input.value = String(Number(input.value));
        soon();
      });
      input.addEventListener("input", place);
      input.insertAdjacentElement("afterend", range);
    }
  }

  /** The grey window is drawn by the portal from the slice that is there: no worker is asked. */
  function greys(): void {
    const svg = document.querySelector<SVGSVGElement>(".work-picture svg");
    const told = document.getElementById("work-window");
    if (!svg || !told) return;
    const usual = told.dataset["shown"]!.split(" ").map(Number) as [number, number];
    const [low, high] = ["low", "high"].map((name, k) => {
      const value = Number.parseFloat(field(name).value);
      return Number.isFinite(value) ? value : usual[k]!;
    }) as [number, number];
    const address = new URL(location.href);
    for (const name of ["low", "high"]) {
      if (field(name).value) address.searchParams.set(name, field(name).value);
      else address.searchParams.delete(name);
    }
    history.replaceState(null, "", address);
    if (low >= high) { say(t("The lower grey value is not below the higher one.")); return; }
    say("");
    const pattern = svg.dataset["pattern"]!.replace("LOW", low.toPrecision(6)).replace("HIGH", high.toPrecision(6));
    svg.querySelector("image")!.setAttribute("href", pattern);
    told.textContent = `${decimal(Number(low.toPrecision(4)))} … ${decimal(Number(high.toPrecision(4)))} ${told.textContent!.split(" ").at(-1)}`;
  }

  function greySliders(): void {
    for (const name of ["low", "high"]) {
      const input = field(name);
      input.parentElement!.querySelector("input[type=range]")?.remove();
      const told = document.getElementById("work-window");
      if (!told) continue;
      const [least, greatest] = [Number(told.dataset["low"]), Number(told.dataset["high"])];
      const shown = told.dataset["shown"]!.split(" ").map(Number);
      const range = document.createElement("input");
      range.type = "range";
      range.min = String(least);
      range.max = String(greatest);
      range.step = String((greatest - least) / 500 || 1);
      range.value = input.value || String(shown[name === "low" ? 0 : 1]);
      range.setAttribute("aria-label", t("%(label)s, slider", { label: name === "low" ? t("Black") : t("White") }));
      range.addEventListener("input", () => { input.value = Number(range.value).toPrecision(4); greys(); });
      input.insertAdjacentElement("afterend", range);
      if (!input.value) input.placeholder = Number(shown[name === "low" ? 0 : 1]!.toPrecision(4)).toString();
    }
  }

  /** Draw the region on the slice by hand. */
  function picture(): void {
    greySliders();
    const svg = document.querySelector<SVGSVGElement>(".work-picture svg");
    const region = svg?.querySelector("rect");
    if (!svg || !region) return;
    const [width, height] = [svg.viewBox.baseVal.width, svg.viewBox.baseVal.height];
    let from: [number, number] | null = null;
    const at = (event: PointerEvent): [number, number] => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM()!.inverse());
      return [Math.max(0, Math.min(width, point.x)), Math.max(0, Math.min(height, point.y))];
    };
    const names = ["x0", "x1", "y0", "y1"] as const;
    const draw = (values: number[]) => {
      const [x0, x1, y0, y1] = values as [number, number, number, number];
      for (const [name, value] of [["x", x0], ["y", y0], ["width", x1 - x0], ["height", y1 - y0]] as const) {
        region.setAttribute(name, String(value));
      }
    };
    const box = (to: [number, number]) => {
      const [x, y] = [[from![0], to[0]], [from![1], to[1]]].map((two) => two.sort((a, b) => a - b)) as [number[], number[]];
      return [Math.floor(x[0]!), Math.ceil(x[1]!), Math.floor(y[0]!), Math.ceil(y[1]!)];
    };
    svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      turn++; // no earlier slice takes the place of the one that is drawn on
      clearTimeout(timer);
      from = at(event);
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      if (!from) return;
      const values = box(at(event));
      draw(values);
      names.forEach((name, k) => { field(name).value = String(values[k]); });
    });
    svg.addEventListener("pointercancel", () => {
      if (from) soon(0);
      from = null;
    });
    svg.addEventListener("pointerup", (event) => {
      if (!from) return;
      const values = box(at(event)) as [number, number, number, number];
      from = null;
      const none = values[1] - values[0] < width / 100 || values[3] - values[2] < height / 100;
      names.forEach((name, k) => { field(name).value = none ? "" : String(values[k]); });
      draw(none ? [0, 0, 0, 0] : values);
      soon(0);
    });
  }

  form.classList.add("scripted");
  sliders();
  picture();
  form.addEventListener("input", (event) => {
    const input = event.target as HTMLInputElement;
    if (input.type === "range" || input.name === "add") return;
    if (input.name === "low" || input.name === "high") { greys(); return; }
    soon(input instanceof HTMLSelectElement || input.type === "checkbox" ? 0 : 600);
  });
  form.addEventListener("submit", (event) => {
    if ((event as SubmitEvent).submitter?.getAttribute("value") === "axes" || field("add").value) return;
    event.preventDefault();
    soon(0);
  });
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLButtonElement>(".work-strip button");
    if (!button) return;
    event.preventDefault();
    field("axis").value = button.value;
    field("axis").dispatchEvent(new Event("input", { bubbles: true }));
    for (const one of document.querySelectorAll(".work-strip li")) one.classList.toggle("found", one.contains(button));
    document.getElementById("slice")?.scrollIntoView({ block: "start" });
    soon(0);
  });

  function centre(): void {
    const [row, found] = [document.querySelector(".work-strip"), document.querySelector<HTMLElement>(".work-strip .found")];
    if (row && found) row.scrollLeft = found.offsetLeft - (row.clientWidth - found.clientWidth) / 2;
  }

  const state = (job: number) => work.dataset["state"]!.replace("/0/", `/${job}/`);
  const [tries, waits] = [Number(work.dataset["tries"]), Number(work.dataset["waits"])];
  centre();
  if (work.dataset["known"]) {
    if (waits) void follow(state(waits), location.href, ++turn);
    if (tries) {
      const told = document.querySelector("#work-tried .quiet");
      void end(state(tries), () => true, (now) => { if (told) told.textContent = inWords(now); })
        .then((ended) => ended && renew(location.href, ["work-tried"])).then(centre);
    }
  } else if (tries || waits) { // nothing is known of the scan yet: the whole page tells it
    const mine = ++turn;
    void end(state(tries || waits), () => mine === turn, tell).then((told) => {
      if (told && mine === turn) location.reload();
    });
  }
}

/** Show how far a volume is. */
async function follow(): Promise<void> {
  while (document.getElementById("work-job")?.dataset["waits"] === "1") {
    await pause(JOB_MS);
    try {
      await renew(location.href, ["work-job"]);
    } catch {
      // The portal is away for a moment.
    }
  }
}

if (work && form) bench(form, work);
else void follow();
