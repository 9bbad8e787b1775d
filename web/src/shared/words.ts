// Words that scripts write on a page, in its language: the page brings them where it is not in English.
let known: Record<string, string> | undefined;

/** Write a number with the decimal mark of the page's language. */
export function decimal(value: number): string {
  return document.documentElement.lang === "en" ? String(value) : String(value).replace(".", ",");
}

/** Translate `words`; "%(number)s" stands for the value of that name. The portal lists them in `script_words.py`. */
export function t(words: string, values: Record<string, string | number> = {}): string {
  const place = typeof document === "undefined" ? null : document.getElementById("words");
  known ??= JSON.parse(place?.textContent || "{}") as Record<string, string>;
  return (known[words] ?? words).replace(/%\((\w+)\)s/g, (whole, name: string) => String(values[name] ?? whole));
}
