// The worker that reads a file, asked by promises; it is loaded when a file is first asked for.
import { type Ask, FILTERS, type Layouts } from "../shared/hdf5-file";

const NAMES = new Map(Object.values(FILTERS));

export class Reader {
  private worker: Worker | null = null;
  private asked = 0;
  private readonly waiting = new Map<number, { give: (told: any) => void; refuse: (problem: Error) => void }>();
  private readonly handed = new Map<string, Promise<unknown>>();

  /** address: that of the worker's script; filters: name → address of a filter; layouts: what a scan is known by. */
  constructor(
    private readonly address: string,
    private readonly filters: Record<string, string | undefined>,
    private readonly layouts: Layouts | null,
  ) {}

  /** Ask the worker; what it refuses is thrown, in its words. */
  async ask<T>(ask: Ask): Promise<T> {
    if (!this.worker) {
      this.worker = new Worker(this.address);
      this.worker.onmessage = ({ data }) => {
        const { give, refuse } = this.waiting.get(data.id)!;
        this.waiting.delete(data.id);
        if ("problem" in data) refuse(new Error(data.problem));
        else give(data.told);
      };
      this.worker.onerror = () => this.stop("The part of the page that reads HDF5 could not be loaded, or stopped.");
      if (this.layouts) void this.ask({ what: "layouts", layouts: this.layouts }).catch(() => {});
    }
    const id = ++this.asked;
    return new Promise<T>((give, refuse) => {
      this.waiting.set(id, { give, refuse });
      this.worker!.postMessage({ id, ask });
    });
  }

  /** Hand filters in that a dataset needs. */
  async handIn(names: string[]): Promise<void> {
    for (const name of names) {
      if (!this.handed.has(name)) this.handed.set(name, this.take(name));
      try {
        await this.handed.get(name);
      } catch (problem) {
        this.handed.delete(name);
        throw problem;
      }
    }
  }

  private async take(name: string): Promise<void> {
    const address = this.filters[name];
    const words = NAMES.get(name) ?? name;
    if (!address) throw new Error(`Its values are compressed with ${words}, which this page has not.`);
    const answer = await fetch(address).catch(() => null);
    if (!answer?.ok) throw new Error(`Its values are compressed with ${words}; the filter could not be loaded.`);
    await this.ask({ what: "filter", name, bytes: await answer.arrayBuffer() });
  }

  private stop(problem: string): void {
    for (const { refuse } of this.waiting.values()) refuse(new Error(problem));
    this.waiting.clear();
    this.handed.clear();
    this.worker?.terminate();
    this.worker = null;
  }
}
