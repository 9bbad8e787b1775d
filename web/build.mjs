// Builds every src/<name>/main.ts(x) into ../src/tomarium/portal/static/built/<name>.js, with the licences of
// all packages that went in. A package without a licence that may be shipped ends the build.
import { build } from "esbuild";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const BUILT = resolve(HERE, "../src/tomarium/portal/static/built");
const ALLOWED = /^\(?(MIT|ISC|0BSD|BSD-2-Clause|BSD-3-Clause|Apache-2\.0|Zlib|Unlicense|CC0-1\.0|BlueOak-1\.0\.0)( OR .*| (AND|and) (MIT|ISC|BSD-3-Clause|Apache-2\.0))?\)?$/;

const entries = Object.fromEntries(
  readdirSync(join(HERE, "src"), { withFileTypes: true })
    .filter((folder) => folder.isDirectory())
    .map((folder) => [
      folder.name,
      ["main.ts", "main.tsx"].map((name) => join(HERE, "src", folder.name, name)).find(existsSync),
    ])
    .filter(([, file]) => file),
);

const fresh = `${BUILT}.new`;
rmSync(fresh, { recursive: true, force: true });
mkdirSync(fresh, { recursive: true });
// Read from a page that was opened as a file, where browsers load no modules.
const CLASSIC = ["site-search", "make-a-slice", "hdf5-file", "hdf5-worker"];
// Licences that package.json does not name by its identifier; a person has read them, and their texts are shipped.
const READ = { h5wasm: "NIST-Software AND BSD-3-Clause (HDF5)" };
// Filters of HDF5 that h5wasm-plugins brings, each loaded when a dataset needs it; their licences: web/licences.
const FILTERS = ["bshuf", "blosc", "blosc2", "bz2", "lz4", "lzf", "zfp", "zstd"];
const shared = {
  outdir: fresh,
  bundle: true,
  target: "es2022",
  minify: true,
  metafile: true,
  charset: "utf8", // h5wasm holds its compiled code as text, which is a third larger in ASCII
  legalComments: "none", // all licences stand in LICENCES.txt
  loader: { ".svg": "dataurl", ".woff2": "file", ".woff": "file" },
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "warning",
  absWorkingDir: HERE,
};
const named = (classic) => Object.fromEntries(Object.entries(entries).filter(([name]) => CLASSIC.includes(name) === classic));
const results = [
  await build({ ...shared, entryPoints: named(false), format: "esm" }),
  await build({ ...shared, entryPoints: named(true), format: "iife" }),
];
const inputs = results.flatMap((one) => Object.keys(one.metafile.inputs));
mkdirSync(join(fresh, "hdf5-filters"));
for (const name of FILTERS) {
  const source = `node_modules/h5wasm-plugins/plugins/libH5Z${name}.so`;
  copyFileSync(join(HERE, source), join(fresh, "hdf5-filters", `${name}.wasm`));
  inputs.push(source);
}
const own = readdirSync(join(HERE, "licences")).sort().map((name) => readFileSync(join(HERE, "licences", name), "utf8"));
writeFileSync(join(fresh, "LICENCES.txt"), [licences(inputs), ...own].join(`\n${"-".repeat(80)}\n\n`));
for (const [file, told] of results.flatMap((one) => Object.entries(one.metafile.outputs))) {
  console.log(`${(told.bytes / 1000).toFixed(0).padStart(6)} kB  ${file.split("/").at(-1)}`);
}
rmSync(BUILT, { recursive: true, force: true });
renameSync(fresh, BUILT);

/** Tell the licence of every package that a file was taken from. */
function licences(inputs) {
  const folders = new Set();
  for (const input of inputs) {
    const found = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found) folders.add(found[1]);
  }
  const told = [...folders].sort().map((folder) => {
    const about = JSON.parse(readFileSync(join(HERE, folder, "package.json"), "utf8"));
    const named = typeof about.license === "object" ? about.license.type : about.license;
    const licence = READ[about.name] ?? named;
    if (!READ[about.name] && !ALLOWED.test(licence ?? "")) {
      throw new Error(`${about.name} ${about.version}: licence ${licence} is not one that may be shipped`);
    }
    const file = readdirSync(join(HERE, folder)).find((name) => /^(licen[sc]e|copying)/i.test(name));
    const text = file ? readFileSync(join(HERE, folder, file), "utf8").trim() : `Licence: ${licence}`;
    return `${about.name} ${about.version}: ${licence}\n\n${text}\n`;
  });
  return told.join(`\n${"-".repeat(80)}\n\n`);
}
