// What the slices need beyond the page's own style, adopted when the script runs.
export const STYLE = `
.slice .frame { cursor: crosshair; touch-action: pan-y; }
.slice .frame.near { touch-action: none; }
.slice .frame.near.held { cursor: grabbing; }
.slice .fit.placed { inset: auto; margin: 0; }
.slice .fit.placed img { width: 100%; height: 100%; max-width: none; }
.slice .fit .fine { position: absolute; max-width: none; }
.slice .frame > .scale-bar { z-index: 1; pointer-events: none; }
.slice .frame.ruled > .scale-bar { bottom: 1.9rem; }
.slice .cuts { pointer-events: none; }
.slice-tools { position: absolute; z-index: 2; right: 0.4rem; top: 0.4rem; display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 0.3rem; max-width: calc(100% - 0.8rem); }
.planes .slice-tools :is(button, select) { min-height: 1.9rem; padding: 0 0.6rem; font-size: 0.8125rem; font-weight: 400; background: rgb(11 13 12 / .78); color: var(--night-ink); border: 1px solid #75807a; border-radius: var(--round); }
.planes .slice-tools button[aria-pressed="true"] { background: var(--night-ink); color: var(--night); font-weight: 600; }
.slice:not(.tile-main, :fullscreen) .slice-tools { display: none; }
.measure-drawing { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; overflow: visible; }
.measure-drawing :is(line, circle) { stroke: #fff; stroke-width: 1.5; fill: none; filter: drop-shadow(0 0 1px #000) drop-shadow(0 0 1px #000); }
.measure-drawing text { fill: #fff; stroke: #000; stroke-width: 3px; paint-order: stroke; font: 600 14px var(--sans); }
.ruler { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; }
.ruler line { stroke: #fff; stroke-width: 1; opacity: .75; }
.ruler text { fill: #fff; stroke: #000; stroke-width: 3px; paint-order: stroke; font: 12px var(--sans); font-variant-numeric: tabular-nums; }
.profile { position: absolute; z-index: 2; inset: auto 0 0; height: 38%; min-height: 8rem; background: rgb(11 13 12 / .95); border-top: 1px solid var(--night-line); }
.profile svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.profile polyline { fill: none; stroke: var(--axis); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.profile p { position: absolute; inset: 0.3rem 2.6rem auto 0.7rem; margin: 0; font-size: 0.8125rem; color: var(--night-ink); font-variant-numeric: tabular-nums; }
.planes .profile button { position: absolute; right: 0.4rem; top: 0.3rem; min-height: 1.8rem; padding: 0 0.6rem; background: transparent; color: var(--night-ink); border-color: #75807a; }
.slice:fullscreen { background: var(--night); padding: 0.6rem; } .slice:fullscreen .frame { flex: 1; aspect-ratio: auto; min-height: 0; }
.grey-handle { position: absolute; top: 3.9rem; height: calc(100% - 5.5rem); width: 1.5rem; margin-left: -0.75rem; cursor: ew-resize; touch-action: none; }
.grey-handle::before { content: ""; position: absolute; left: calc(50% - 1px); top: 0; bottom: 0; width: 2px; background: var(--z); }
.grey-handle::after { content: ""; position: absolute; left: calc(50% - 5px); top: 50%; width: 10px; height: 22px; margin-top: -11px; border-radius: 3px; background: var(--z); }
@media (max-width: 40rem) { .planes .slice-tools :is(button, select) { padding: 0 0.45rem; } }`;
