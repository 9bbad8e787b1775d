// Turns the picture of a mesh into a model that can be turned, where the browser has WebGL; the picture stays otherwise.
// three.js alone, since it works under the pages' strict Content-Security-Policy.
import { hasWebGl2 } from "../shared/webgl";
import { AmbientLight, Box3, DirectionalLight, PerspectiveCamera, Scene, Vector3, WebGLRenderer } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { t } from "../shared/words";

const HEIGHT_DEG = 35; // of what the camera sees

for (const stage of document.querySelectorAll<HTMLElement>("[data-model]")) {
  if (hasWebGl2()) offer(stage, stage.dataset.model ?? "");
}

/** Put a button on the picture that loads the model in its place. */
function offer(stage: HTMLElement, address: string): void {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button mesh-turn";
  button.textContent = t("Turn it");
  button.addEventListener("click", () => {
    button.disabled = true;
    button.textContent = t("Loading …");
    show(stage, address).then(
      () => button.remove(),
      () => { button.textContent = t("The model cannot be shown here"); },
    );
  });
  stage.append(button);
}

/** Load the model and let it be turned; the picture goes when it is there. */
async function show(stage: HTMLElement, address: string): Promise<void> {
  const scene = (await new GLTFLoader().loadAsync(address)).scene;
  const picture = stage.querySelector("img");
  const renderer = new WebGLRenderer({ antialias: true, alpha: true });
  const size = stage.clientWidth;
  renderer.setPixelRatio(Math.min(2, window.devicePixelRatio));
  renderer.setSize(size, size, false);
  const canvas = renderer.domElement;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${picture?.alt ?? ""}; ${t("drag, or use the arrow keys, to turn it")}`);
  const world = new Scene();
  world.add(scene, new AmbientLight(0xffffff, 0.9));
  const box = new Box3().setFromObject(scene);
  const radius = box.getSize(new Vector3()).length() / 2;
  const camera = new PerspectiveCamera(HEIGHT_DEG, 1, radius / 50, radius * 50);
  const light = new DirectionalLight(0xffffff, 2.2);
  light.position.set(-1.2, 1.4, 1.5);
  camera.add(light);
  world.add(camera);
  camera.position.set(0.55, 0.4, 0.78).normalize().multiplyScalar((1.05 * radius) / Math.sin((HEIGHT_DEG * Math.PI) / 360));
  const controls = new OrbitControls(camera, canvas);
  const draw = () => renderer.render(world, camera);
  controls.addEventListener("change", draw);
  canvas.addEventListener("keydown", (event) => turn(event, camera, controls));
  controls.update();
  draw();
  stage.append(canvas);
  picture?.remove();
  stage.dataset.ready = "yes";
}

/** Turn the model by the arrow keys. */
function turn(event: KeyboardEvent, camera: PerspectiveCamera, controls: OrbitControls): void {
  const step = { ArrowLeft: -0.15, ArrowRight: 0.15 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  camera.position.applyAxisAngle(new Vector3(0, 1, 0), step);
  controls.update();
}
