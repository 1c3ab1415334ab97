/**
 * The page's own style: layout, and colours for what LuCI has no word for (transports, chart). Everything else is LuCI's classes and
 * variables, so that it looks native in every theme.
 */
export const STYLE = `
.kcp { --kcp-line: var(--border-color-medium, var(--bd-color, rgba(128,128,128,.35)));
  --kcp-accent: var(--primary-color-high, var(--primary, var(--main-color, #2f6fb3)));
  --kcp-muted: color-mix(in srgb, currentColor 82%, transparent);
  --kcp-good: #1a7f37; --kcp-warn: #8a5a00; --kcp-bad: #b42318; --kcp-up: #8250df; --kcp-down: #0a6cc2;
  --kcp-kcp: #0a6cc2; --kcp-quic: #7a3fc4; --kcp-tcp: #57606a; }
.kcp[data-kcp-theme=dark] { --kcp-good: #4ac26b; --kcp-warn: #e0a52b; --kcp-bad: #ff8b82; --kcp-up: #c297ff;
  --kcp-down: #6cb6ff; --kcp-kcp: #6cb6ff; --kcp-quic: #c297ff; --kcp-tcp: #a8b3bd; }
.kcp *, .kcp *::before, .kcp input[type=search] { box-sizing: border-box }
.kcp li { color: inherit }
.kcp .cbi-section { margin-bottom: 1.5em }
.kcp[data-kcp-sections=boxed] .cbi-section { padding: 1em 1.25em }
.kcp h3, .kcp .cbi-section > h3:first-child { margin: 0 0 .6em; padding: 0 }
.kcp .cbi-section p { padding: 0 }
.kcp p.kcp-row + .cbi-section { margin-top: 1.2em }
.kcp .cbi-section > .cbi-section-descr { padding: 0 !important; margin: 0 0 .8em }
.kcp .cbi-value-description { opacity: 1; color: var(--kcp-muted) }
.kcp p { margin: .35em 0 }
.kcp .kcp-card > .kcp-row:last-child { margin-top: .9em }
.kcp .kcp-muted { color: var(--kcp-muted) }
.kcp .kcp-text { overflow-wrap: anywhere; unicode-bidi: plaintext }
.kcp .kcp-clip { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; unicode-bidi: plaintext; max-width: 100% }
.kcp .kcp-number { font-variant-numeric: tabular-nums; white-space: nowrap; text-align: right }
.kcp .kcp-row { display: flex; flex-wrap: wrap; gap: .5em .8em; align-items: center }
.kcp .kcp-grow { flex: 1 1 14em; min-width: 0 }
.kcp .kcp-card { border: 1px solid var(--kcp-line); border-left-width: .4em; border-radius: .4em; padding: .8em 1em; margin: 0 0 1em;
  background: var(--kcp-back, transparent) }
.kcp .kcp-card.good { border-left-color: var(--kcp-good) }
.kcp .kcp-card.warn { border-left-color: var(--kcp-warn) }
.kcp .kcp-card.bad { border-left-color: var(--kcp-bad) }
.kcp .kcp-headline { font-size: 1.25em; font-weight: 600; margin: 0 0 .2em }
.kcp .kcp-facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 7.4em), 1fr)); gap: .7em 1.2em; margin: .8em 0 0 }
.kcp .kcp-facts > div { min-width: 0 }
.kcp .kcp-facts > .wide { grid-column: span 2 }
.kcp .kcp-facts dt { color: var(--kcp-muted); font-size: .88em; font-weight: 400; margin: 0; text-align: left; width: auto; float: none }
.kcp .kcp-facts dd { margin: 0; overflow-wrap: anywhere }
.kcp .kcp-problems { list-style: none; margin: .6em 0 0; padding: 0 }
.kcp .kcp-problems li { margin: .4em 0; padding-left: 1.5em; position: relative }
.kcp .kcp-problems li::before { content: "▲"; position: absolute; left: 0; color: var(--kcp-warn) }
.kcp .kcp-chart { width: 100%; height: 7.5em; display: block; border-bottom: 1px solid var(--kcp-line) }
.kcp .kcp-chart polyline { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke; stroke-linejoin: round }
.kcp .kcp-chart .up { stroke: var(--kcp-up); stroke-dasharray: 6 3 }
.kcp .kcp-chart .down { stroke: var(--kcp-down) }
.kcp .kcp-legend-up, .kcp .kcp-legend-down { font-weight: 600 }
.kcp .kcp-legend-up { color: var(--kcp-up) } .kcp .kcp-legend-down { color: var(--kcp-down) }
.kcp .kcp-badge { display: inline-flex; align-items: center; gap: .35em; border: 1.5px solid; padding: 0 .5em; font-size: .85em;
  font-weight: 700; line-height: 1.5; white-space: nowrap; background: transparent }
.kcp .kcp-badge.kcp-transport-kcp { color: var(--kcp-kcp); border-radius: 1em }
.kcp .kcp-badge.kcp-transport-quic { color: var(--kcp-quic); border-radius: .3em; border-style: double; border-width: 3px }
.kcp .kcp-badge.kcp-transport-tcp { color: var(--kcp-tcp); border-radius: 0; border-style: dashed }
.kcp .kcp-badge.good { color: var(--kcp-good); border-radius: .3em } .kcp .kcp-badge.bad { color: var(--kcp-bad); border-radius: .3em }
.kcp .kcp-badge.warn { color: var(--kcp-warn); border-radius: .3em } .kcp .kcp-badge.muted { color: var(--kcp-muted); border-radius: .3em }
.kcp .kcp-list { position: relative; overflow: auto; max-height: 70vh; border: 1px solid var(--kcp-line); border-radius: .3em }
.kcp .kcp-grid { display: grid; gap: 0 .6em; padding: 0 .7em; align-items: center; min-width: 0 }
.kcp .kcp-head { position: sticky; top: 0; z-index: 1; border-bottom: 1px solid var(--kcp-line); font-weight: 600;
  background: var(--background-color-high, var(--kcp-back, Canvas)) }
.kcp[data-kcp-theme=dark] .kcp-head { background: var(--background-color-high, var(--kcp-back, #22262b)) }
.kcp .kcp-head button { all: unset; cursor: pointer; padding: .5em 0; white-space: nowrap; max-width: 100%; overflow: hidden; text-overflow: ellipsis }
.kcp .kcp-head button:focus-visible, .kcp .kcp-line:focus-visible { outline: 2px solid var(--kcp-accent); outline-offset: -2px }
.kcp .kcp-line { border-bottom: 1px solid var(--kcp-line); cursor: pointer }
.kcp .kcp-line:hover { background: color-mix(in srgb, var(--kcp-accent) 8%, transparent) }
.kcp .kcp-line.closed { color: var(--kcp-muted) }
.kcp .kcp-line.closed .kcp-sub { color: inherit }
.kcp .kcp-group { font-weight: 600; padding: 0 .7em; display: flex; align-items: end; border-bottom: 1px solid var(--kcp-line) }
.kcp .kcp-cell { min-width: 0 }
.kcp .kcp-sub { font-size: .85em; color: var(--kcp-muted) }
.kcp .cbi-value-description .kcp-sub { color: inherit }
.kcp .kcp-table { width: 100%; overflow-x: auto }
.kcp .td, .kcp .th { text-align: start }
.kcp label:not(.cbi-value-title) { display: inline-flex; align-items: center; gap: .35em; margin: 0 }
.kcp label:not(.cbi-value-title) input { position: relative; top: 0; margin: 0 }
.kcp .kcp-field-error { color: var(--kcp-bad); margin: .25em 0 0 }
.kcp input[type=text], .kcp input[type=search], .kcp input[type=password], .kcp select, .kcp textarea { max-width: 100% }
.kcp input[type=search] { width: 18.5em }
.kcp select { height: auto; min-height: 30px }
.kcp textarea { width: 100%; min-height: 10em; font-family: var(--font-mono, monospace) }
.kcp .kcp-log { font-family: var(--font-mono, monospace); font-size: .9em; max-height: 60vh; overflow: auto; border: 1px solid var(--kcp-line);
  padding: .5em .7em; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere }
.kcp .kcp-checks { list-style: none; margin: 0; padding: 0 }
.kcp .kcp-checks li { display: grid; grid-template-columns: 6.5em 1fr; gap: .2em .8em; padding: .5em 0; border-bottom: 1px solid var(--kcp-line) }
.kcp .kcp-item { border: 1px solid var(--kcp-line); border-radius: .3em; padding: .4em .8em; margin: 0 0 .6em }
@media (max-width: 40em) {
  .kcp .kcp-head, .kcp .kcp-wide { display: none }
  .kcp .kcp-line { grid-template-columns: 1fr auto !important; padding: .4em .7em; gap: .1em .8em; align-content: center }
  .kcp .kcp-checks li { grid-template-columns: 1fr }
}
@media not all and (max-width: 40em) {
  .kcp .kcp-narrow { display: none }
}
`;
