// H5Web over the page of an HDF5 file: it asks the portal's own routes, which answer as h5grove does.
import "@h5web/app/styles.css";
import { App, H5GroveProvider } from "@h5web/app";
import { createRoot } from "react-dom/client";

/** Below this width, CSS pixels, the plain page comes first: H5Web needs room. */
const NARROW = 700;
const place = document.getElementById("hdf5-app");
const plain = document.getElementById("hdf5-plain");
if (place && plain) offer(place, plain);

/** Show H5Web, or the plain page where there is little room, and a button that changes between them. */
function offer(place: HTMLElement, plain: HTMLElement): void {
  const frame = document.createElement("div");
  frame.className = "hdf5-frame";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  let begun = false;
  const change = (app: boolean): void => {
    frame.hidden = !app;
    plain.hidden = app;
    button.textContent = app ? "Show the plain page" : "Show it in H5Web";
    if (app && !begun) begin(place, frame);
    if (app) begun = true;
  };
  button.addEventListener("click", () => change(Boolean(frame.hidden)));
  place.append(button, frame);
  place.hidden = false;
  change(innerWidth >= NARROW);
}

/** Let H5Web begin at the group or dataset that the page shows. */
function begin(place: HTMLElement, frame: HTMLElement): void {
  const { url, file, at } = place.dataset;
  createRoot(frame).render(
    <H5GroveProvider url={new URL(url ?? "", location.href).href} filepath={file ?? ""}>
      <App initialPath={at || "/"} sidebarOpen={innerWidth >= NARROW} disableDarkMode />
    </H5GroveProvider>,
  );
}
