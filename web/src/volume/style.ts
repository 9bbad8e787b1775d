// The look's own style, adopted by the page when the look is opened.
export const STYLE = `
.look-stage { grid-column: 1 / -1; position: relative; background: #000; border-top: 2px solid var(--night-ink); display: flex; flex-direction: column; min-width: 0; }
.look-view { position: relative; height: min(74vh, 46rem); min-height: 20rem; overflow: hidden; }
.look-view canvas { position: absolute; inset: 0; width: 100%; height: 100%; touch-action: none; cursor: grab; }
.look-view canvas:active { cursor: grabbing; }
.look-view canvas:focus-visible { outline-offset: -3px; }
.look-box { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; }
.look-box line { stroke: #fff; stroke-width: 1; opacity: .38; }
.look-box .look-faint { opacity: .18; }
.look-box text { fill: var(--night-ink); stroke: #000; stroke-width: 3px; paint-order: stroke; font: 600 13px var(--sans); }
.look-box .look-z { fill: var(--z); } .look-box .look-y { fill: var(--y); } .look-box .look-x { fill: var(--x); }
.look-bar { position: absolute; right: 1.2rem; bottom: 1rem; text-align: center; font: 600 13px var(--sans); color: #fff; text-shadow: 0 0 3px #000, 0 0 3px #000; pointer-events: none; }
.look-bar i { display: block; height: 3px; background: #fff; box-shadow: 0 0 0 1px #000; margin-top: 3px; }
.planes .look-handle { position: absolute; left: 0; top: 0; width: 2.1rem; min-height: 2.1rem; height: 2.1rem; margin: -1.05rem; padding: 0; border-radius: 50%; background: rgb(11 13 12 / .72); border: 2px solid var(--axis); color: var(--axis); cursor: move; touch-action: none; }
.look-handle[hidden] { display: none; }
.look-tools { display: flex; flex-wrap: wrap; gap: var(--s2) var(--s4); align-items: center; padding: var(--s3) var(--s4); background: var(--night-2); font-size: 0.9rem; color: var(--night-quiet); }
.look-tools > div { display: flex; flex-wrap: wrap; gap: var(--s2); align-items: center; }
.look-tools label { display: flex; gap: var(--s2); align-items: center; }
.look-tools output { color: var(--night-ink); font-variant-numeric: tabular-nums; min-width: 5.2rem; }
.look-tools input[type="range"] { width: 7.5rem; height: 1.75rem; margin: 0; accent-color: var(--night-ink); }
.look-tools select { background: var(--night); border-color: #75807a; color: var(--night-ink); min-height: 2.2rem; padding: 0.2rem 0.5rem; }
.planes .look-tools button, .planes .look-do button { min-height: 2.2rem; font-size: 0.9rem; }
.planes .look-tools button { background: transparent; color: var(--night-ink); border-color: #75807a; font-weight: 400; padding-inline: 0.7rem; }
.planes .look-tools button[aria-pressed="true"] { background: var(--night-ink); color: var(--night); font-weight: 600; }
.planes .look-do button { padding: 0 0.8rem; min-height: 1.9rem; }
.look-last { margin-left: auto; }
.look-told { margin: 0; padding: var(--s3) var(--s4); background: var(--night-2); color: var(--night-ink); white-space: normal; }
.look-do .look-told { padding: 0; background: none; line-height: 1.3; }
.look-wait { position: absolute; inset: auto 0 50%; text-align: center; color: var(--night-ink); pointer-events: none; margin: 0; }
.look-stage:fullscreen { border: 0; } .look-stage:fullscreen .look-view { flex: 1; height: auto; }
@media (max-width: 40rem) {
  .look-view { height: min(64vh, 105vw); }
  .look-tools { gap: var(--s2) var(--s3); padding: var(--s2) var(--s3); }
  .look-tools input[type="range"] { width: 8rem; }
  .look-last { margin-left: 0; }
}`;
