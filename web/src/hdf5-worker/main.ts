// Reads an HDF5 file for a page: one that was chosen, or one at an address, piece by piece. Nothing is sent anywhere.
import "./quiet";
import h5wasm, { type File as Hdf5File } from "h5wasm";
import { type Ask, type Layouts, pathOf } from "../shared/hdf5-file";
import { nodeAt, pictureAt, valuesAt } from "./look";
import { looksLike } from "./scan";

const FILES = "/files";
const FILTERS = "/filters";
const SIGNATURE = [0x89, 0x48, 0x44, 0x46];

let file: Hdf5File | null = null;
let layouts: Layouts | null = null;

onmessage = (event: MessageEvent<{ id: number; ask: Ask }>) => {
  const { id, ask } = event.data;
  answer(ask).then(
    (told) => postMessage({ id, told }),
    (problem: unknown) => postMessage({ id, problem: words(problem) }),
  );
};

async function answer(ask: Ask): Promise<unknown> {
  const module = await h5wasm.ready;
  switch (ask.what) {
    case "layouts":
      layouts = ask.layouts;
      return null;
    case "files":
      return openFiles(module.FS, ask.files, ask.main);
    case "address":
      return openAddress(module.FS, ask.address, ask.name);
    case "filter":
      if (!module.FS.analyzePath(FILTERS).exists) {
        module.FS.mkdir(FILTERS);
        module.insert_plugin_search_path(FILTERS, 0);
      }
      module.FS.writeFile(`${FILTERS}/libH5Z${ask.name}.so`, new Uint8Array(ask.bytes));
      return null;
    case "node":
      return nodeAt(opened(), ask.path);
    case "values":
      return valuesAt(opened(), ask.path);
    case "picture":
      return pictureAt(opened(), ask.path, ask.index);
    case "scan":
      return layouts && looksLike(opened(), layouts);
  }
}

function opened(): Hdf5File {
  if (!file) throw new Error("No file is open.");
  return file;
}

/** Open one of the files that were chosen; the others lie beside it, for what it names in them. */
async function openFiles(fs: any, files: File[], main: string): Promise<void> {
  close(fs);
  const chosen = files.find((one) => pathOf(one) === main)!;
  demandHdf5(new Uint8Array(await chosen.slice(0, 8).arrayBuffer()), main, chosen.size);
  fs.mkdir(FILES);
  fs.mount(fs.filesystems.WORKERFS, { blobs: files.map((one) => ({ name: pathOf(one), data: one })) }, FILES);
  file = new h5wasm.File(`${FILES}/${main}`, "r");
  demandOpen(main);
}

/** Open a file at an address; true where the server gives parts of it, else the whole must be asked for as a file. */
async function openAddress(fs: any, address: string, name: string): Promise<boolean> {
  close(fs);
  const piece = await fetch(address, { headers: { Range: "bytes=0-7" } });
  if (!piece.ok) throw new Error(`The server answers ${piece.status} for ${name}.`);
  if (piece.status !== 206) {
    await piece.body?.cancel();
    return false;
  }
  demandHdf5(new Uint8Array(await piece.arrayBuffer()), name, Number(piece.headers.get("Content-Range")?.split("/")[1] ?? 0));
  fs.mkdir(FILES);
  fs.createLazyFile(FILES, name, address, true, false);
  file = new h5wasm.File(`${FILES}/${name}`, "r");
  demandOpen(name);
  return true;
}

function close(fs: any): void {
  file?.close();
  file = null;
  if (!fs.analyzePath(FILES).exists) return;
  try {
    fs.unmount(FILES); // of files that were chosen
  } catch {
    for (const name of fs.readdir(FILES)) if (!/^\.\.?$/.test(name)) fs.unlink(`${FILES}/${name}`);
  }
  fs.rmdir(FILES);
}

function demandHdf5(head: Uint8Array, name: string, bytes: number): void {
  // A file may begin with a block of its user's, of 512 bytes or more; HDF5 itself looks for that.
  if (bytes < 512 && SIGNATURE.some((byte, at) => head[at] !== byte)) throw new Error(`${name} is no HDF5 file.`);
}

function demandOpen(name: string): void {
  if (file && file.file_id > 0n) return;
  file = null;
  throw new Error(`${name} is no HDF5 file, or it was not written to its end.`);
}

/** Tell a problem of HDF5 in its own words: the last line of its account says what is at the bottom of it. */
export function words(problem: unknown): string {
  const text = problem instanceof Error ? problem.message : String(problem);
  const lines = [...text.matchAll(/#\d+: .*?: (.+)/g)].map((found) => found[1]!);
  return lines.at(-1) ?? text;
}
