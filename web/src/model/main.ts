// Turns the picture of a mesh into a model that can be turned, where the browser has WebGL; the picture stays otherwise.
import { ModelViewerElement } from "@google/model-viewer";

// What is loaded comes from this house only: no decoders of other hosts.
ModelViewerElement.dracoDecoderLocation = "";
ModelViewerElement.ktx2TranscoderLocation = "";
ModelViewerElement.meshoptDecoderLocation = "";

for (const stage of document.querySelectorAll<HTMLElement>("[data-model]")) {
  if (hasWebGL()) offer(stage, stage.dataset.model ?? "");
}

/** Tell whether this browser draws in three dimensions. */
function hasWebGL(): boolean {
  return document.createElement("canvas").getContext("webgl2") !== null;
}

/** Put a button on the picture that loads the model in its place. */
function offer(stage: HTMLElement, address: string): void {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button mesh-turn";
  button.textContent = "Turn it";
  button.addEventListener("click", () => show(stage, address, button));
  stage.append(button);
}

/** Load the model; the picture goes when it is there, and stays where it fails. */
function show(stage: HTMLElement, address: string, button: HTMLButtonElement): void {
  const picture = stage.querySelector("img");
  const model = document.createElement("model-viewer");
  model.setAttribute("src", address);
  model.setAttribute("alt", picture?.alt ?? "");
  for (const name of ["camera-controls", "touch-action", "interaction-prompt", "exposure", "tone-mapping", "shadow-intensity"]) {
    model.setAttribute(name, { "touch-action": "pan-y", "interaction-prompt": "none", exposure: "0.8", "tone-mapping": "neutral", "shadow-intensity": "0" }[name] ?? "");
  }
  model.setAttribute("camera-orbit", "35deg 68deg 105%");
  button.disabled = true;
  button.textContent = "Loading …";
  model.addEventListener("load", () => {
    picture?.remove();
    button.remove();
    stage.dataset.ready = "yes";
  });
  model.addEventListener("error", () => {
    model.remove();
    button.textContent = "The model cannot be shown here";
  });
  stage.append(model);
}
