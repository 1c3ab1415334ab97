import type { ReadonlySignal } from "@preact/signals";
import { MAX_POINTS, type RatePoint } from "../models/rate-history.ts";
import { fill, rate } from "../text/format.ts";

const WIDTH = 600;
const HEIGHT = 100;
/** Below this the chart does not zoom in: an idle network is a flat line, not a mountain range. */
const MIN_SCALE_BYTES = 1250;

/** Up and down over the last ticks, newest at the right. */
export function RateChart({ points }: { readonly points: ReadonlySignal<readonly RatePoint[]> }) {
  const shown = points.value;
  const newest = shown.at(-1);
  const top = shown.reduce((most, { up, down }) => Math.max(most, up, down), MIN_SCALE_BYTES);
  const line = (key: keyof RatePoint) =>
    shown
      .map((point, at) => {
        const x = WIDTH - ((shown.length - 1 - at) * WIDTH) / (MAX_POINTS - 1);
        return `${x.toFixed(1)},${(HEIGHT - 2 - (point[key] / top) * (HEIGHT - 8)).toFixed(1)}`;
      })
      .join(" ");
  return (
    <figure style={{ margin: "0" }}>
      <figcaption class="kcp-row">
        <span class="kcp-legend-down">{fill(_("↓ Down %s"), rate(newest?.down ?? null))}</span>
        <span class="kcp-legend-up">{fill(_("↑ Up %s"), rate(newest?.up ?? null))}</span>
        <span class="kcp-sub">{fill(_("scale %s"), rate(top))}</span>
      </figcaption>
      <svg class="kcp-chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        <polyline class="down" points={line("down")} />
        <polyline class="up" points={line("up")} />
      </svg>
    </figure>
  );
}
