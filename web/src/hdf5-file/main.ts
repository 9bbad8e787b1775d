// An HDF5 file shown in the page without a server that reads it: one that is chosen here, or one at an address.
import { FILTERS, type Layouts, type Looks, pathOf } from "../shared/hdf5-file";
import { size } from "../upload/pace";
import { bit, button, slip } from "./bits";
import { describe } from "./looks";
import { showTree } from "./tree";
import { Reader } from "./worker";

const WHOLE = 500_000_000; // bytes of a file that is taken whole, where a server gives no parts of one
const NAMES = new Set(Object.values(FILTERS).map(([name]) => name));
const HDF5 = /\.(h5|hdf5?|he5|nx|nxs|nexus|nx5|cxi|h5ext)$/i;

const root = document.getElementById("hdf5-file");
if (root) begin(root);

function begin(root: HTMLElement): void {
  const told = document.getElementById("hdf5-layouts")?.textContent;
  const { worker = "", address, bytes } = root.dataset;
  const filters = Object.fromEntries([...NAMES].map((name) => [name, root.getAttribute(`data-filter-${name}`) ?? ""]));
  const reader = new Reader(worker, filters, told ? (JSON.parse(told) as Layouts) : null);
  const state = bit("div", { role: "status" });
  const shown = bit("div", {});
  root.append(state, shown);
  root.hidden = false;
  if (address) offerAddress(root, reader, state, shown, address, Number(bytes ?? 0));
  else offerChoice(root, reader, state, shown);
}

const depth = (path: string) => path.split("/").length;

/** Let a file be chosen; nothing of it is sent. */
function offerChoice(root: HTMLElement, reader: Reader, state: HTMLElement, shown: HTMLElement): void {
  const which = bit("p", {});
  state.before(which);
  const take = (files: File[]) => {
    const names = files.map(pathOf).filter((name) => HDF5.test(name)).sort((a, b) => depth(a) - depth(b) || (a < b ? -1 : 1));
    which.replaceChildren();
    if (!files.length) return;
    const show = (main: string) => void open(reader, state, shown, main, () => reader.ask({ what: "files", files, main }));
    if (names.length > 1) {
      const choice = bit("select", {}, ...names.map((name) => bit("option", {}, name)));
      choice.addEventListener("change", () => show(choice.value));
      which.append(bit("label", {}, `${names.length} HDF5 files; shown is `, choice));
    }
    show(names[0] ?? pathOf(files[0]!));
  };
  for (const input of root.querySelectorAll("input")) {
    input.addEventListener("change", () => {
      const files = [...(input.files ?? [])];
      input.value = ""; // the same may be chosen again
      take(files);
    });
  }
}

/** Offer to read the file at an address in parts; say what stands against it. */
function offerAddress(root: HTMLElement, reader: Reader, state: HTMLElement, shown: HTMLElement, address: string, bytes: number): void {
  if (location.protocol === "file:") {
    state.append(slip("This page was opened as a file, and browsers let such a page read no other file. Take the file and open it in a program for HDF5, or look at this page through a web server."));
    return;
  }
  const name = decodeURIComponent(address.split("?")[0]!.split("/").at(-1)!);
  const begin = button("Show what is in the file", () => {
    begin.remove();
    void open(reader, state, shown, name, async () => {
      if (await reader.ask<boolean>({ what: "address", address: new URL(address, location.href).href, name })) return;
      if (bytes > WHOLE) throw new Error(`This server gives files only whole, and ${name} has ${size(bytes)}: take the file and open it on your own machine.`);
      state.replaceChildren(bit("p", {}, `This server gives files only whole: ${size(bytes)} are taken …`));
      const answer = await fetch(address);
      if (!answer.ok) throw new Error(`The server answers ${answer.status} for ${name}.`);
      const file = new File([await answer.blob()], name);
      await reader.ask({ what: "files", files: [file], main: name });
    });
  });
  root.prepend(begin);
}

/** Open a file and show what it looks like, and its tree. */
async function open(reader: Reader, state: HTMLElement, shown: HTMLElement, name: string, ask: () => Promise<unknown>): Promise<void> {
  shown.replaceChildren();
  state.replaceChildren(bit("p", { class: "quiet" }, `Reading ${name} …`));
  try {
    await ask();
    const looks = await reader.ask<Looks | null>({ what: "scan" });
    state.replaceChildren();
    shown.append(bit("h3", { tabindex: "-1" }, name), looks ? describe(looks) : "", await showTree(reader, looks?.data ?? ""));
    shown.querySelector("h3")!.focus({ preventScroll: true });
  } catch (problem) {
    state.replaceChildren(slip((problem as Error).message, "grave"));
  }
}
