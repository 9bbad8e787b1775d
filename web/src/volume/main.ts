// Makes the still picture of a volume one that can be turned, when the reader asks for it.
import { hasWebGl2 } from "../shared/webgl";
import { open } from "./look";
import { STYLE } from "./style";
import { t } from "../shared/words";

const sheet = new CSSStyleSheet();
sheet.replaceSync(STYLE);
document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];

for (const figure of document.querySelectorAll<HTMLElement>("figure.look")) offer(figure);

/** Offer the look below the still, or say why there is none. */
function offer(figure: HTMLElement): void {
  const place = figure.querySelector(".look-do");
  const planes = figure.closest(".planes");
  if (!place || !planes) return;
  if (!hasWebGl2()) {
    place.textContent = t("No WebGL 2 here: the slices show the inside.");
    return;
  }
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = t("Turn it in 3-D");
  place.replaceChildren(button);
  let close: (() => void) | null = null;
  button.addEventListener("click", () => {
    if (close) {
      close();
      return;
    }
    button.textContent = t("Close the 3-D look");
    close = open(figure, planes, () => {
      close = null;
      button.textContent = t("Turn it in 3-D");
      button.focus();
    });
  });
}
