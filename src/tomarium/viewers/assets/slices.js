// Slices follow their sliders at once; without this script the form's button and the links − and + do it.
"use strict";

for (const form of document.querySelectorAll("form.slices")) {
  const figures = new Map([...form.querySelectorAll(".slice")].map((figure) => [figure.dataset.plane, figure]));
  form.classList.add("live");

  const show = (plane) => {
    const figure = figures.get(plane);
    const slider = figure.querySelector("input[type=range]");
    const picture = figure.querySelector("img");
    const index = Number(slider.value);
    const count = Number(slider.max) + 1;
    load(picture, figure.dataset.pattern.replace("INDEX", index));
    picture.alt = picture.alt.replace(/^Slice \d+/, `Slice ${index}`);
    const position = figure.dataset.step
      ? ` · ${(index * Number(figure.dataset.step)).toFixed(Number(figure.dataset.decimals))} ${figure.dataset.unit}`
      : "";
    figure.querySelector("output").textContent = `${index} / ${slider.max}${position}`;
    const part = `${((100 * (index + 0.5)) / count).toFixed(3)}%`;
    for (const line of form.querySelectorAll(`[data-cut=${plane}]`)) {
      const vertical = line.getAttribute("y1") === "0";
      for (const name of vertical ? ["x1", "x2"] : ["y1", "y2"]) line.setAttribute(name, part);
    }
  };

  // One request at a time for each picture: a quick drag asks for the last place, not for all between.
  const waiting = new Map();
  const load = (picture, address) => {
    const busy = waiting.has(picture);
    waiting.set(picture, address);
    if (busy) return;
    const next = new Image();
    const done = () => {
      const wanted = waiting.get(picture);
      waiting.delete(picture);
      if (wanted !== next.getAttribute("src")) load(picture, wanted);
    };
    next.onload = () => { picture.src = next.src; done(); };
    next.onerror = done;
    next.src = address;
  };

  const remember = () => {
    const address = new URL(location.href);
    for (const [plane, figure] of figures) address.searchParams.set(plane, figure.querySelector("input").value);
    history.replaceState(null, "", address);
    // Other links of this page keep what is shown now.
    for (const link of document.querySelectorAll("a[href*='?']:not(.step)")) {
      if (link.pathname !== location.pathname) continue;
      const target = new URL(link.href);
      for (const plane of figures.keys()) target.searchParams.set(plane, address.searchParams.get(plane));
      link.href = target;
    }
  };

  for (const [plane, figure] of figures) {
    const slider = figure.querySelector("input[type=range]");
    slider.addEventListener("input", () => show(plane));
    slider.addEventListener("change", remember);
    for (const step of figure.querySelectorAll("a.step")) {
      const change = step.rel === "next" ? 1 : -1;
      step.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        slider.value = Number(slider.value) + change;
        show(plane);
        remember();
      });
    }
  }
}
