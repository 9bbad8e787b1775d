// H5Web over the page of an HDF5 file: it asks the portal's own routes, which answer as h5grove does.
import "@h5web/app/styles.css";
import { App, H5GroveProvider } from "@h5web/app";
import { createRoot } from "react-dom/client";

const place = document.getElementById("hdf5-app");
if (place) show(place);

/** Put H5Web in place of the plain page, which stays one click away. */
function show(place: HTMLElement): void {
  const { url, file, at } = place.dataset;
  if (!url || !file) return;
  const plain = document.getElementById("hdf5-plain");
  const frame = document.createElement("div");
  frame.className = "hdf5-frame";
  place.append(choice(place, frame, plain), frame);
  place.hidden = false;
  if (plain) plain.hidden = true;
  createRoot(frame).render(
    <H5GroveProvider url={new URL(url, location.href).href} filepath={file}>
      <App initialPath={at || "/"} sidebarOpen={innerWidth > 700} />
    </H5GroveProvider>,
  );
}

/** A button that changes between H5Web and the plain page. */
function choice(place: HTMLElement, frame: HTMLElement, plain: HTMLElement | null): HTMLElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = "Show the plain page";
  button.addEventListener("click", () => {
    frame.hidden = !frame.hidden;
    if (plain) plain.hidden = !frame.hidden;
    button.textContent = frame.hidden ? "Show it in H5Web" : "Show the plain page";
  });
  return button;
}
