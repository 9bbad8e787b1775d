// The tree of a file, and beside it what was chosen in it: attributes, first values, a picture.
import type { Member, Node, Picture, Values } from "../shared/hdf5-file";
import { bit, button, slip } from "./bits";
import type { Reader } from "./worker";

/** Show the tree, and what is at `path` where one is given, else the root. */
export async function showTree(reader: Reader, path: string): Promise<HTMLElement> {
  const panel = bit("div", { class: "hdf5-panel", "aria-live": "polite" });
  let current = 0;
  const choose = async (path: string) => {
    const mine = ++current;
    const built = await look(reader, path);
    if (mine === current) panel.replaceChildren(...built);
  };
  const root = await reader.ask<Node>({ what: "node", path: "/" });
  const tree = bit("nav", { class: "hdf5-tree", "aria-label": "Tree of the file" });
  tree.append(button("The file itself", () => void choose("/"), "plain"), members(reader, root, choose));
  await choose(path || "/");
  return bit("div", { class: "hdf5-two" }, tree, panel);
}

/** List the members of a group; groups open where they stand. */
function members(reader: Reader, node: Node, choose: (path: string) => void): HTMLElement {
  const list = bit("ul", {}, ...node.members.map((one) => bit("li", {}, member(reader, one, choose))));
  if (node.leftOut) list.append(bit("li", { class: "quiet" }, `and ${node.leftOut} more`));
  if (!node.members.length) list.append(bit("li", { class: "quiet" }, "empty"));
  return list;
}

function member(reader: Reader, one: Member, choose: (path: string) => void): HTMLElement {
  const name = one.told ? `${one.name} ` : one.name;
  const words = [name, one.told ? bit("small", { class: "quiet" }, one.told) : ""];
  if (one.kind === "dataset") {
    const made = button("", () => choose(one.path), "plain");
    made.append(...words);
    return made;
  }
  if (one.kind !== "group") return bit("span", {}, ...words);
  const group = bit("details", {}, bit("summary", {}, one.name));
  group.addEventListener("toggle", () => {
    if (!group.open) return;
    choose(one.path);
    if (group.childElementCount > 1) return;
    const waits = bit("ul", {}, bit("li", { class: "quiet" }, "…"));
    group.append(waits);
    reader.ask<Node>({ what: "node", path: one.path }).then(
      (node) => waits.replaceWith(members(reader, node, choose)),
      (problem: Error) => waits.replaceWith(bit("ul", {}, bit("li", {}, problem.message))),
    );
  });
  return group;
}

/** Show what is at a path. */
async function look(reader: Reader, path: string): Promise<HTMLElement[]> {
  let node: Node;
  try {
    node = await reader.ask<Node>({ what: "node", path });
  } catch (problem) {
    return [slip((problem as Error).message, "warn")];
  }
  const kind = node.kind === "group" ? "group" : `${node.shape ? node.shape.join(" × ") || "one value" : "empty"}, ${node.type}`;
  const shown: HTMLElement[] = [bit("h4", {}, bit("code", {}, path)), bit("p", { class: "quiet" }, kind)];
  if (node.trouble) shown.push(slip(node.trouble, "warn"));
  else if (node.kind === "dataset" && node.shape) {
    try {
      await reader.handIn(node.filters);
      shown.push(...(node.pictures ? [await pictures(reader, node)] : []), ...(await values(reader, node)));
    } catch (problem) {
      shown.push(slip((problem as Error).message, "warn"));
    }
  }
  if (node.attributes.length) {
    const rows = node.attributes.map(([name, words]) => bit("div", {}, bit("dt", {}, name), bit("dd", {}, words)));
    shown.push(bit("h5", {}, "Attributes"), bit("dl", { class: "pairs" }, ...rows));
  }
  return shown;
}

/** Show a slice, and a slider where there are several. */
async function pictures(reader: Reader, node: Node): Promise<HTMLElement> {
  const canvas = bit("canvas", { role: "img" });
  const caption = bit("figcaption", { class: "quiet small" });
  let wanted = Math.floor(node.pictures / 2);
  const draw = async () => {
    const index = wanted;
    const { width, height, grey, step, low, high } = await reader.ask<Picture>({ what: "picture", path: node.path, index });
    const pixels = new ImageData(width, height);
    for (let at = 0; at < grey.length; at++) pixels.data.set([grey[at]!, grey[at]!, grey[at]!, 255], 4 * at);
    [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d")!.putImageData(pixels, 0, 0);
    const which = node.pictures > 1 ? `Slice ${index} of ${node.pictures}` : "The whole dataset";
    canvas.setAttribute("aria-label", `${which} of ${node.path}`);
    const same = `nearly every value is ${Number(low.toPrecision(4))}`;
    const range = low === high ? same : `black is ${Number(low.toPrecision(4))}, white ${Number(high.toPrecision(4))}`;
    caption.textContent = `${which}; ${range}${step > 1 ? `; every ${step}th pixel is shown` : ""}.`;
  };
  await draw();
  const figure = bit("figure", {}, canvas, caption);
  if (node.pictures > 1) {
    const attributes = { type: "range", min: "0", max: String(node.pictures - 1), value: String(wanted), "aria-label": "Slice" };
    const slider = bit("input", attributes);
    let busy = false;
    slider.addEventListener("input", async () => {
      wanted = Number(slider.value);
      if (busy) return;
      busy = true;
      try {
        for (let drawn = -1; drawn !== wanted; ) {
          drawn = wanted;
          await draw();
        }
      } catch (problem) {
        caption.textContent = (problem as Error).message;
      }
      busy = false;
    });
    figure.append(slider);
  }
  return figure;
}

async function values(reader: Reader, node: Node): Promise<HTMLElement[]> {
  if (node.shape!.length > 2 || node.pictures) return [];
  const { rows, more } = await reader.ask<Values>({ what: "values", path: node.path });
  if (!rows.length) return [];
  const lines = rows.map((cells, at) => bit("tr", {}, bit("th", { scope: "row" }, String(at)), ...cells.map((cell) => bit("td", {}, cell))));
  const table = bit("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": "Values" }, bit("table", { class: "files" }, bit("tbody", {}, ...lines)));
  return [bit("h5", {}, more ? "Values, the first ones" : "Values"), table];
}
