// The list of files, as elements; of many only those that matter now.
import { size } from "./pace";
import type { State, Transfer } from "./queue";
import { t } from "../shared/words";

const ALL_UP_TO = 100;
const MOST_OF: Record<State, number> = { failed: 50, retrying: 10, sending: 10, waiting: 10, done: 10 };
const ORDER: State[] = ["failed", "retrying", "sending", "waiting", "done"];
const WORDS: Record<State, string> = {
  failed: t("failed"),
  retrying: t("tries again"),
  sending: "",
  waiting: t("waits"),
  done: t("✓ is there"),
};

type Row = { item: HTMLLIElement; bar: HTMLProgressElement; told: HTMLSpanElement; failed: HTMLElement; out: HTMLButtonElement };

export class List {
  private readonly rows = new Map<string, Row>();

  constructor(
    private readonly list: HTMLElement,
    private readonly more: HTMLElement,
    private readonly leaveOut: (path: string) => void,
  ) {}

  /** Show the files as they are now. */
  show(transfers: Map<string, Transfer>): void {
    const shown = transfers.size <= ALL_UP_TO ? [...transfers.values()] : some(transfers);
    const items = shown.map((one) => this.row(one).item);
    if (items.length !== this.list.children.length || items.some((item, at) => item !== this.list.children[at])) {
      const focus = document.activeElement;
      this.list.replaceChildren(...items);
      if (focus instanceof HTMLElement && this.list.contains(focus)) focus.focus();
      const kept = new Set(shown.map(({ path }) => path));
      for (const path of this.rows.keys()) if (!kept.has(path)) this.rows.delete(path);
    }
    const rest = transfers.size - shown.length;
    this.more.textContent = rest ? t("%(number)s more", { number: rest.toLocaleString("en") }) : "";
  }

  private row(one: Transfer): Row {
    let row = this.rows.get(one.path);
    if (!row) {
      row = make(one, () => this.leaveOut(one.path));
      this.rows.set(one.path, row);
    }
    row.bar.value = one.state === "done" ? 1 : one.file.size ? one.sent / one.file.size : 0;
    const words = WORDS[one.state];
    row.told.textContent = words || t("%(number)s of %(count)s", { number: size(one.sent), count: size(one.file.size) });
    const problem = one.state === "failed" || one.state === "retrying" ? one.problem : "";
    row.failed.hidden = !problem;
    if (row.failed.firstChild?.textContent !== problem) row.failed.firstChild!.textContent = problem;
    row.out.hidden = one.state !== "failed";
    return row;
  }
}

/** Choose what is shown of many files: what failed first, then what moves. */
function some(transfers: Map<string, Transfer>): Transfer[] {
  const by = new Map<State, Transfer[]>(ORDER.map((state) => [state, []]));
  for (const one of transfers.values()) by.get(one.state)!.push(one);
  return ORDER.flatMap((state) => by.get(state)!.slice(state === "done" ? -MOST_OF.done : 0).slice(0, MOST_OF[state]));
}

function make(one: Transfer, leaveOut: () => void): Row {
  const item = document.createElement("li");
  const name = document.createElement("b");
  name.textContent = one.path;
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.setAttribute("aria-label", one.path);
  const told = document.createElement("span");
  const failed = document.createElement("div");
  failed.className = "failed";
  const out = document.createElement("button");
  out.type = "button";
  out.className = "plain";
  out.textContent = t("Leave it out");
  out.setAttribute("aria-label", t("Leave %(file)s out", { file: one.path }));
  out.addEventListener("click", leaveOut);
  failed.append(document.createElement("p"), out);
  item.append(name, bar, told, failed);
  return { item, bar, told, failed, out };
}
