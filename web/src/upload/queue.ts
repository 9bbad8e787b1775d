// The files of a batch on their way: some at once, each from where it is at the server, again and again where it fails.
import * as tus from "tus-js-client";
import { checkedStack } from "./checked";
import type { Chosen } from "./chosen";
import { t } from "../shared/words";

export const AT_ONCE = 4;
const WAITS = [500, 1000, 2000, 5000, 10_000, ...Array<number>(30).fill(30_000)];
const STOP = new Set([401, 403, 413, 507]); // what holds for the next file too
const AGAIN = new Set([0, 408, 409, 423, 425, 429, 460]); // and all from 500 on, but a full disk

export type State = "waiting" | "sending" | "retrying" | "done" | "failed";

export type Transfer = {
  path: string;
  file: File;
  sent: number;
  state: State;
  problem: string;
  upload?: tus.Upload;
  address?: string; // where it is at the server
};

export type Known = { path: string; bytes: number; offset: number; modified: string; upload: string };

export class Queue {
  readonly transfers = new Map<string, Transfer>();
  paused = false;
  private known = new Map<string, Known>();
  private readonly active = new Set<Transfer>();
  private next: Transfer[] = []; // may hold some that wait no longer
  private readonly stack = checkedStack();

  /**
   * create: address that begins a file; piece: bytes of a request, which is what a lost connection costs at most;
   * batch: gives the batch; changed: called often; stopped: called when all files would fail alike.
   */
  constructor(
    private readonly create: string,
    private readonly piece: number,
    private readonly batch: () => Promise<string>,
    private readonly changed: () => void,
    private readonly stopped: (problem: string) => void,
  ) {}

  /** Tell what the server has of this batch already. */
  knows(files: Known[]): void {
    this.known = new Map(files.map((one) => [one.path, one]));
  }

  /** Add files; one of a path that is there already takes its place, unless it is the same. */
  add(chosen: Chosen[]): void {
    for (const { path, file } of chosen) {
      const before = this.transfers.get(path);
      if (before && before.state !== "failed" && same(before.file, file)) continue;
      if (before) this.stop(before, "failed");
      const known = this.ofServer(path, file);
      const whole = known !== undefined && known.offset === file.size;
      const one: Transfer = { path, file, sent: known?.offset ?? 0, state: "waiting", problem: "" };
      if (known) one.address = known.upload;
      if (whole) one.state = "done";
      else this.next.push(one);
      this.transfers.set(path, one);
    }
    this.go();
  }

  /** Forget all files. */
  clear(): void {
    for (const one of this.active) this.stop(one, "failed");
    this.transfers.clear();
    this.next = [];
    this.known.clear();
  }

  /** Stop sending; what arrived is kept. */
  pause(): void {
    this.paused = true;
    this.backToWaiting("sending", "retrying");
    this.changed();
  }

  /** Go on. */
  resume(): void {
    this.paused = false;
    this.go();
  }

  /** Try what failed again. */
  again(): void {
    this.backToWaiting("failed");
    this.resume();
  }

  /** Do not wait longer before the next try: the network is back. */
  hurry(): void {
    this.backToWaiting("retrying");
    this.go();
  }

  /** Take a file out that is not whole. */
  leaveOut(path: string): void {
    const one = this.transfers.get(path);
    if (!one) return;
    this.stop(one, "failed");
    this.transfers.delete(path);
    this.go();
  }

  /** List what the server has begun, not whole, and nobody chose here. */
  lacking(): Known[] {
    return [...this.known.values()].filter((one) => one.offset < one.bytes && !this.transfers.has(one.path));
  }

  of(...states: State[]): Transfer[] {
    return [...this.transfers.values()].filter((one) => states.includes(one.state));
  }

  /** Begin as many as may be under way. */
  private go(): void {
    while (!this.paused && this.active.size < AT_ONCE) {
      const one = this.next.shift();
      if (!one) break;
      if (one.state !== "waiting" || this.transfers.get(one.path) !== one) continue;
      one.state = "sending";
      this.active.add(one);
      void this.send(one);
    }
    this.changed();
  }

  private stop(one: Transfer, state: State): void {
    void one.upload?.abort();
    this.active.delete(one);
    one.state = state;
    if (one.upload?.url) one.address = one.upload.url;
    delete one.upload;
  }

  private backToWaiting(...states: State[]): void {
    const those = this.of(...states);
    for (const one of those) this.stop(one, "waiting");
    this.next = [...those, ...this.next];
  }

  private ofServer(path: string, file: File): Known | undefined {
    const known = this.known.get(path);
    return known && known.bytes === file.size && known.modified === String(file.lastModified) ? known : undefined;
  }

  private async send(one: Transfer): Promise<void> {
    let batch: string;
    try {
      batch = await this.batch();
    } catch (error) {
      if (one.state === "sending") this.fail(one, error as Error);
      return;
    }
    if (one.state !== "sending" || one.upload) return; // stopped, or stopped and begun anew
    one.upload = new tus.Upload(one.file, {
      endpoint: this.create,
      uploadUrl: one.address ?? null,
      chunkSize: this.piece,
      uploadDataDuringCreation: true,
      storeFingerprintForResuming: false, // the server's list tells what is there, on every machine
      metadata: { batch, filename: one.path, modified: String(one.file.lastModified) },
      headers: { Accept: "application/json" },
      retryDelays: WAITS,
      httpStack: this.stack,
      onShouldRetry: (error) => {
        const retry = mayRetry(error);
        if (retry && one.state === "sending") {
          one.state = "retrying";
          one.problem = words(error);
          this.changed();
        }
        return retry;
      },
      onProgress: (sent) => {
        if (one.state === "retrying") one.state = "sending";
        one.sent = sent;
      },
      onSuccess: () => {
        one.state = "done";
        one.sent = one.file.size;
        one.problem = "";
        delete one.upload;
        this.active.delete(one);
        this.go();
      },
      onError: (error) => this.fail(one, error),
    });
    one.upload.start();
  }

  private fail(one: Transfer, error: Error): void {
    one.problem = words(error);
    this.stop(one, "failed");
    if (!one.address) one.sent = 0; // nothing of it was taken
    if (STOP.has(statusOf(error))) {
      this.paused = true;
      this.backToWaiting("sending", "retrying", "failed");
      this.stopped(one.problem);
    }
    this.go();
  }
}

/** Tell whether two files are one, as far as a browser tells. */
function same(a: File, b: File): boolean {
  return a.size === b.size && a.lastModified === b.lastModified;
}

function statusOf(error: Error): number {
  return (error instanceof tus.DetailedError && error.originalResponse?.getStatus()) || 0;
}

function mayRetry(error: Error): boolean {
  const status = statusOf(error);
  return AGAIN.has(status) || (status >= 500 && status !== 507);
}

/** Say what went wrong: the server's own words where there are some. */
export function words(error: Error): string {
  if (/NotReadableError|could not be read|ERR_UPLOAD_FILE_CHANGED/i.test(`${error.name} ${error.message}`)) {
    return t("The file changed or went away while it was sent; choose it again.");
  }
  if (!(error instanceof tus.DetailedError)) return error.message;
  const status = statusOf(error);
  if (status === 0) return t("The server does not answer.");
  const body = error.originalResponse?.getBody() ?? "";
  if (status === 401) return t("You were signed out. Sign in again in another tab, then try again here.");
  try {
    return String((JSON.parse(body) as { detail: string }).detail);
  } catch {
    return t("The server answers %(status)s.", { status });
  }
}
