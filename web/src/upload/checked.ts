// An HTTP stack for tus-js-client that sends the SHA-256 of every piece, which the server compares before it keeps it.
import { DefaultHttpStack, type HttpRequest, type HttpStack } from "tus-js-client";

/** Tell whether this page can compute checksums: browsers allow it over https and on the machine itself. */
export const CHECKED = typeof crypto !== "undefined" && crypto.subtle !== undefined;

/** Return the HTTP stack of tus-js-client, with checksums where they can be computed. */
export function checkedStack(): HttpStack {
  const plain = new DefaultHttpStack({});
  return {
    createRequest(method: string, url: string): HttpRequest {
      const request = plain.createRequest(method, url);
      const send = request.send.bind(request);
      request.send = async (body: unknown) => {
        if (CHECKED && body instanceof Blob && body.size > 0) {
          const digest = await crypto.subtle.digest("SHA-256", await body.arrayBuffer());
          request.setHeader("Upload-Checksum", `sha256 ${btoa(String.fromCharCode(...new Uint8Array(digest)))}`);
        }
        return send(body);
      };
      return request;
    },
    getName: () => "CheckedHttpStack",
  };
}
