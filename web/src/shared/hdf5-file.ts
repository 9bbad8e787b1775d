// What a page and the worker that reads an HDF5 file say to each other.

/** What may be asked of the worker. */
export type Ask =
  | { what: "files"; files: File[]; main: string }
  | { what: "address"; address: string; name: string }
  | { what: "layouts"; layouts: Layouts }
  | { what: "filter"; name: string; bytes: ArrayBuffer }
  | { what: "node"; path: string }
  | { what: "values"; path: string }
  | { what: "picture"; path: string; index: number }
  | { what: "scan" };

/** A member of a group. */
export type Member = { name: string; path: string; kind: string; told: string };

/** A group or a dataset. */
export type Node = {
  path: string;
  kind: "group" | "dataset";
  type: string;
  shape: number[] | null;
  attributes: [string, string][];
  members: Member[];
  leftOut: number;
  filters: string[]; // names of those that must be handed in before values can be read
  pictures: number; // slices along the first axis that can be shown, 0 where there are none
  trouble: string;
};

/** The first values of a dataset of at most two axes, a row each. */
export type Values = { rows: string[][]; more: boolean };

/** A slice, in grey from the 0.5th to the 99.5th percentile. */
export type Picture = { width: number; height: number; grey: Uint8ClampedArray; step: number; low: number; high: number };

/** A number that a scan tells; `unit` is the one it was turned into. */
export type Fact = { name: string; value: number; unit: string; from: string };

/** What a file looks like. */
export type Looks = {
  layout: string; // "" where it is none that is known here
  entry: string;
  data: string; // path of the frames
  counts: [string, number][]; // "projections", "flats", "darks" …
  shape: number[]; // rows and columns of a frame
  type: string;
  angles: { first: number; last: number; count: number; unit: string; from: string } | null;
  facts: Fact[];
  missing: string[];
  notes: string[];
};

/** Where each layout has its numbers: the tables of the readers in Python, written into the page. */
export type Layouts = {
  units: Record<string, [string, number]>;
  noUnit: string[];
  kinds: Record<string, string>;
  nxtomo: { title: string; data: string[]; imageKey: string[]; angles: string[]; pixel: string[]; energy: string[]; distance: string[] };
  dataExchange: {
    title: string;
    pixel: string[];
    detectorPixel: string[];
    magnification: string[];
    energy: string[];
    highestKev: number;
    distance: string[];
    rotation: string[][];
  };
};

/** Return the path of a file below the folder that was chosen, or its name. */
export function pathOf(file: File): string {
  return file.webkitRelativePath || file.name;
}

/** The filters that HDF5 does not bring: number → name of its file, and what people call it. */
export const FILTERS: Record<number, [string, string]> = {
  307: ["bz2", "bzip2"],
  32000: ["lzf", "LZF"],
  32001: ["blosc", "Blosc"],
  32004: ["lz4", "LZ4"],
  32008: ["bshuf", "Bitshuffle"],
  32013: ["zfp", "ZFP"],
  32015: ["zstd", "Zstandard"],
  32026: ["blosc2", "Blosc2"],
};
