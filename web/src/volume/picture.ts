// The picture as a file, with its scale bar and the title it is found by.
import type { Bar } from "./overlay";

/** Save what a canvas shows as PNG. */
export function pictureOf(canvas: HTMLCanvasElement, bar: Bar, title: string): void {
  const sheet = document.createElement("canvas");
  const size = Math.max(12, Math.round(canvas.height / 40));
  [sheet.width, sheet.height] = [canvas.width, canvas.height + 2 * size];
  const pen = sheet.getContext("2d")!;
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.drawImage(canvas, 0, 0);
  pen.fillStyle = "#fff";
  pen.font = `600 ${size}px "Source Sans 3", sans-serif`;
  const width = bar.part * canvas.width;
  const [right, bottom] = [canvas.width - size, canvas.height - size];
  pen.fillRect(right - width, bottom, width, Math.max(2, size / 5));
  pen.textAlign = "center";
  pen.fillText(bar.text, right - width / 2, bottom - size / 2);
  pen.textAlign = "left";
  pen.font = `${Math.round(size * 0.8)}px "Source Sans 3", sans-serif`;
  pen.fillText(`${title} · ${location.origin}${location.pathname}`, size, canvas.height + size, canvas.width - 2 * size);
  sheet.toBlob((file) => {
    if (!file) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = `${location.pathname.split("/").pop() || "record"}-3d.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }, "image/png");
}
