/** Tell whether volumes and models can be drawn, and give the context back at once: a page has few of them. */
export function hasWebGl2(): boolean {
  const gl = document.createElement("canvas").getContext("webgl2");
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return gl !== null;
}
