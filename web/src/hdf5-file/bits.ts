// Small pieces of a page.

/** Make an element with its attributes and what is in it. */
export function bit<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, string> = {},
  ...inside: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, text] of Object.entries(attributes)) made.setAttribute(key, text);
  made.append(...inside.filter((one) => one !== ""));
  return made;
}

/** Make a button. */
export function button(words: string, press: () => void, kind = ""): HTMLButtonElement {
  const made = bit("button", { type: "button", ...(kind && { class: kind }) }, words);
  made.addEventListener("click", press);
  return made;
}

/** Make a slip that says something; `kind`: "", "warn" or "grave". */
export function slip(words: string, kind = ""): HTMLElement {
  return bit("div", { class: `slip ${kind}`.trim() }, bit("p", {}, words));
}
