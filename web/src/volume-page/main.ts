// The page around Neuroglancer: sharing the view, and what is shown where there is no WebGL.
import { hasWebGl2 } from "../shared/webgl";

interface Client extends Window {
  viewer?: { state: { toJSON(): unknown } };
}

const frame = document.getElementById("volume-frame") as HTMLIFrameElement | null;
const share = document.getElementById("volume-share") as HTMLButtonElement | null;
const told = document.getElementById("volume-link");
if (frame && !hasWebGl2()) withoutWebGl(frame);
else if (frame && share && told) {
  share.hidden = false;
  share.addEventListener("click", () => void keep(frame, share, told));
}

/** Show the slice that the portal drew. */
function withoutWebGl(frame: HTMLIFrameElement): void {
  frame.remove();
  const instead = document.getElementById("volume-none");
  if (instead) instead.hidden = false;
}

/** Keep the view as it is now, and show a link to it. */
async function keep(frame: HTMLIFrameElement, share: HTMLButtonElement, told: HTMLElement): Promise<void> {
  const viewer = (frame.contentWindow as Client | null)?.viewer;
  told.hidden = false;
  if (!viewer) {
    told.textContent = "The viewer has not begun yet; try again in a moment.";
    return;
  }
  share.disabled = true;
  try {
    const answer = await fetch(share.dataset.keep ?? "", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ state: asText(viewer.state.toJSON(), share.dataset.root ?? "") }),
    });
    const said = (await answer.json()) as { address?: string; detail?: string };
    show(told, answer.ok ? said.address : undefined, said.detail ?? "The view could not be kept.");
  } catch {
    show(told, undefined, "The portal cannot be reached; try again.");
  } finally {
    share.disabled = false;
  }
}

/** Write a state as JSON: lists of numbers as such, and addresses without the host. */
function asText(state: unknown, root: string): string {
  const text = JSON.stringify(state, (_key, value: unknown) => {
    if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>);
    return typeof value === "bigint" ? value.toString() : value;
  });
  return text.split(`${location.origin}${root}/`).join("/");
}

/** Show the link, and copy it where the browser lets us. */
function show(told: HTMLElement, address: string | undefined, problem: string): void {
  told.replaceChildren();
  if (!address) {
    told.textContent = problem;
    return;
  }
  const link = document.createElement("a");
  link.href = link.textContent = address;
  told.append("This very view, for all who may open the record: ", link);
  void navigator.clipboard?.writeText(address).catch(() => undefined);
}
