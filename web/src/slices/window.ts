// The grey window, set by two handles on the histogram.
import { t } from "../shared/words";

/** Put handles on the histogram of a light table; `chosen` is told of each change, null for the usual window. */
export function handlesOf(
  table: Element, form: HTMLFormElement, chosen: (window: [number, number] | null) => void,
): void {
  const frame = table.querySelector<HTMLElement>(".hist");
  const told = table.querySelector<HTMLElement>("#window-told");
  const usual = (form.dataset["usual"] ?? "").split(" ").map(Number) as [number, number];
  const fields = ["low", "high"].map((name) => form.elements.namedItem(name)) as HTMLInputElement[];
  if (!frame || !told || fields.some((field) => !field)) return;
  const [low, high] = [Number(frame.dataset["low"]), Number(frame.dataset["high"])];
  const span = high - low;
  const shade = frame.querySelector(".histogram-window");
  const window_: [number, number] = [0, 1].map((k) => (fields[k]!.value ? Number(fields[k]!.value) : usual[k]!)) as [number, number];
  const digits = (value: number) => Number(value.toPrecision(4));

  const handles = [t("Black"), t("White")].map((name, k) => {
    const handle = document.createElement("div");
    handle.className = "grey-handle";
    handle.tabIndex = 0;
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-label", name);
    handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = frame.getBoundingClientRect();
      set(k, low + ((event.clientX - box.left) / box.width) * span);
    });
    handle.addEventListener("keydown", (event) => {
      const step = (span / 100) * (event.shiftKey ? 5 : 0.5);
      const by = { ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      set(k, window_[k]! + by);
    });
    frame.append(handle);
    return handle;
  });

  function set(k: number, value: number): void {
    const least = span / 500;
    window_[k] = k ? Math.min(high, Math.max(window_[0] + least, value)) : Math.max(low, Math.min(window_[1] - least, value));
    show();
    fields.forEach((field, n) => { field.value = String(digits(window_[n]!)); });
    chosen([digits(window_[0]), digits(window_[1])]);
  }

  function show(): void {
    const parts = window_.map((value) => Math.max(0, Math.min(1, (value - low) / span))) as [number, number];
    handles.forEach((handle, k) => {
      handle.style.left = `${100 * parts[k]!}%`;
      handle.setAttribute("aria-valuemin", String(digits(low)));
      handle.setAttribute("aria-valuemax", String(digits(high)));
      handle.setAttribute("aria-valuenow", String(digits(window_[k]!)));
    });
    shade?.setAttribute("x", String(100 * parts[0]));
    shade?.setAttribute("width", String(100 * (parts[1] - parts[0])));
    const unit = form.dataset["unit"];
    told!.textContent = `${digits(window_[0])} … ${digits(window_[1])}${unit ? ` ${unit}` : ""}`;
    const back = table.querySelector<HTMLElement>("#usual-window");
    if (back) back.hidden = fields.every((field) => !field.value);
  }

  table.querySelector("#usual-window")?.addEventListener("click", (event) => {
    event.preventDefault();
    [window_[0], window_[1]] = usual;
    fields.forEach((field) => { field.value = ""; });
    show();
    chosen(null);
  });
  show();
}
