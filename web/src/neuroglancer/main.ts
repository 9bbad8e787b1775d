// What stands between Neuroglancer's client from PyPI and the portal. The client waits for its state from a server,
// over a stream of events, and sends each change back. The state lies in the page already: it is given from here, no
// connection is held open, and nothing is sent until the reader shares a view.
export {};

const holder = document.getElementById("state");
const base = location.origin + (holder?.dataset.root ?? "");
const state: unknown = JSON.parse(holder?.textContent ?? "{}", (_key, value: unknown) =>
  typeof value === "string" && value.startsWith("/records/") ? base + value : value,
);
const config = { showSettingsButton: true, showHelpButton: true, showTopBar: true };

/** Gives the configuration and the state once, as the server's stream of events would. */
class Told extends EventTarget {
  onmessage: ((event: MessageEvent) => void) | null = null;
  onopen: ((event: Event) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;

  constructor() {
    super();
    setTimeout(() => {
      this.onopen?.(new Event("open"));
      for (const [k, s] of [["c", config], ["s", state]] as const) {
        this.onmessage?.(new MessageEvent("message", { data: JSON.stringify({ k, s, g: "1" }) }));
      }
    });
  }

  close(): void {}
}

const send = window.fetch.bind(window);
window.EventSource = Told as unknown as typeof EventSource;
window.fetch = (input, init) => {
  const address = new URL(input instanceof Request ? input.url : input, location.href);
  return /\/volume\/(state|action)\/[^/]+$/.test(address.pathname)
    ? Promise.resolve(new Response('{"g":"1"}', { headers: { "content-type": "application/json" } }))
    : send(input, init);
};
