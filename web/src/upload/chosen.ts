// Files that were chosen or dropped, each with its path in the record.

export type Chosen = { path: string; file: File };

const HIDDEN = /(^|\/)(\.[^/]*|Thumbs\.db|desktop\.ini)(\/|$)/;

/** Take the files of an input; those of a folder have their path below it. */
export function ofInput(input: HTMLInputElement): Chosen[] {
  return [...(input.files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/** Take what was dropped: files, and folders with all that is in them. */
export async function ofDrop(data: DataTransfer): Promise<Chosen[]> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  const files = [...data.files]; // both lists are empty after the first wait
  if (!entries.some(Boolean)) return files.map((file) => ({ path: file.name, file }));
  const found: Chosen[] = [];
  for (const entry of entries) if (entry) await walk(entry, found);
  return found;
}

/** Leave out what a system hides; tell how many that were. */
export function withoutHidden(chosen: Chosen[]): { kept: Chosen[]; hidden: number } {
  const kept = chosen.filter(({ path }) => !HIDDEN.test(path));
  return { kept, hidden: chosen.length - kept.length };
}

/** Collect the files of a folder; a browser lists at most 100 at once. */
async function walk(entry: FileSystemEntry, found: Chosen[]): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((give, refuse) => (entry as FileSystemFileEntry).file(give, refuse));
    found.push({ path: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((give, refuse) => reader.readEntries(give, refuse));
    if (some.length === 0) return;
    for (const one of some) await walk(one, found);
  }
}
