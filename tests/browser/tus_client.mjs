// tus-js-client under Node against a portal: node tus_client.mjs ADDRESS MODULES [EXPIRED BATCH]. Prints JSON.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [address, modules, expired, batch] = process.argv.slice(2);
const tus = createRequire(pathToFileURL(`${modules}/`))("tus-js-client");
const content = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7) % 251));
const told = { batch };

/** Upload a buffer; give its address. */
function send(path, more = {}, bytes = content) {
  return new Promise((give, refuse) => {
    const upload = new tus.Upload(bytes, {
      endpoint: `${address}/uploads`,
      chunkSize: 100_000,
      retryDelays: [0, 10, 20],
      metadata: { filename: path, batch: told.batch },
      onSuccess: () => give(upload.url),
      onError: refuse,
      ...more,
    });
    upload.start();
  });
}

if (expired) {
  told.status = await send("late.bin", { uploadUrl: expired, retryDelays: [] }).catch((error) =>
    error.originalResponse?.getStatus(),
  );
  console.log(JSON.stringify(told));
  process.exit();
}

const begun = await fetch(`${address}/uploads/batches`, { method: "POST" });
told.batch = (await begun.json()).batch;

// A whole upload, with and without its first piece in the request that begins it; an empty one.
await send("a/plain.bin");
await send("a/b/at-once.bin", { uploadDataDuringCreation: true });
await send("a/empty.bin", {}, Buffer.alloc(0));

// Stopped after the first piece, and gone on with by another client that knows the address only.
told.stoppedAt = await new Promise((give, refuse) => {
  const upload = new tus.Upload(content, {
    endpoint: `${address}/uploads`,
    chunkSize: 100_000,
    metadata: { filename: "a/stopped.bin", batch: told.batch },
    onChunkComplete: (_size, accepted) => {
      void upload.abort().then(() => {
        told.address = upload.url;
        give(accepted);
      });
    },
    onError: refuse,
  });
  upload.start();
});
told.sentAgain = 0;
await send("a/stopped.bin", {
  uploadUrl: told.address,
  onBeforeRequest: (request) => {
    if (request.getMethod() === "POST") told.sentAgain = -1;
  },
  onChunkComplete: (size) => (told.sentAgain += size),
});

// A wrong checksum of one piece: 460, and the client sends it again.
told.refused = 0;
let pieces = 0;
await send("a/checked.bin", {
  onBeforeRequest: (request) => {
    if (request.getMethod() !== "PATCH") return;
    const offset = Number(request.getHeader("Upload-Offset"));
    const piece = content.subarray(offset, offset + 100_000);
    const wrong = pieces++ === 1;
    const digest = createHash("sha256").update(wrong ? "other bytes" : piece).digest("base64");
    request.setHeader("Upload-Checksum", `sha256 ${digest}`);
  },
  onAfterResponse: (_request, response) => {
    told.refused += response.getStatus() === 460;
  },
  onShouldRetry: () => true,
});

// One that was removed is begun anew.
const gone = await send("a/gone.bin");
await tus.Upload.terminate(gone, { retryDelays: [] });
told.anew = (await send("a/gone.bin", { uploadUrl: gone })) !== gone;

// From a stream of unknown length nothing is begun: the server takes no deferred length.
told.deferred = await send("a/stream.bin", { uploadLengthDeferred: true, retryDelays: [] }).then(
  () => "taken",
  (error) => error.originalResponse?.getStatus(),
);
told.sha256 = createHash("sha256").update(content).digest("hex");
console.log(JSON.stringify(told));
