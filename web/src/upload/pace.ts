// How fast bytes go, and how long the rest takes.
import { t } from "../shared/words";

const OVER_S = 5; // seconds over which the rate is averaged

export class Pace {
  private rate = 0;
  private last = { moment: 0, bytes: 0 };

  /** Take note of the bytes that were sent until now. */
  note(bytes: number, moment = performance.now()): void {
    const seconds = (moment - this.last.moment) / 1000;
    if (this.last.moment && seconds > 0 && bytes >= this.last.bytes) {
      const share = 1 - Math.exp(-seconds / OVER_S);
      const now = (bytes - this.last.bytes) / seconds;
      this.rate = this.rate ? this.rate + share * (now - this.rate) : now;
    }
    this.last = { moment, bytes };
  }

  /** Forget it, after a pause. */
  reset(): void {
    this.rate = 0;
    this.last = { moment: 0, bytes: 0 };
  }

  /** Say the rate and the time left; "" where nothing moves. */
  words(left: number): string {
    if (this.rate < 1) return "";
    return t("%(rate)s/s, %(time)s left", { rate: size(this.rate), time: time(left / this.rate) });
  }
}

/** Write a number of bytes: "1.23 GB". */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  while (bytes >= 999.5 && step < units.length - 1) {
    bytes /= 1000;
    step += 1;
  }
  return `${step === 0 ? Math.round(bytes) : Number(bytes.toPrecision(3))} ${units[step]}`;
}

/** Write a time: "about 3 min". */
export function time(seconds: number): string {
  if (seconds < 60) return `about ${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min`;
  return `about ${(seconds / 3600).toFixed(1)} h`;
}
