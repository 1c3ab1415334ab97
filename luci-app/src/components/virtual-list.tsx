import type { ComponentChild } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

/** Rows kept ready above and below what is seen. */
const OVERSCAN_ROWS = 8;

export interface VirtualListProps {
  /** Rows there are, whether they are loaded or not. */
  readonly count: number;
  readonly rowPixels: number;
  /** One row of the given height; undefined = not loaded. */
  row(index: number): ComponentChild;
  /** Rows [first, last) are seen. */
  onSeen(first: number, last: number): void;
  readonly head: ComponentChild;
  readonly label: string;
}

/** Draws only the rows in sight: a thousand connections cost no more than thirty. */
export function VirtualList({ count, rowPixels, row, onSeen, head, label }: VirtualListProps) {
  const box = useRef<HTMLElement>(null);
  const [range, setRange] = useState<readonly [number, number]>([0, 40]);

  const update = () => {
    const element = box.current;
    if (element === null) return;
    const first = Math.max(0, Math.floor(element.scrollTop / rowPixels) - OVERSCAN_ROWS);
    const last = Math.ceil((element.scrollTop + element.clientHeight) / rowPixels) + OVERSCAN_ROWS;
    setRange(([oldFirst, oldLast]) =>
      oldFirst === first && oldLast === last ? [oldFirst, oldLast] : [first, last],
    );
    onSeen(first, Math.min(count, last));
  };
  // What is in sight also changes when rows come or go, and when the window is resized.
  useEffect(() => {
    update();
    addEventListener("resize", update);
    return () => removeEventListener("resize", update);
  }, [count, rowPixels]);

  const first = Math.min(range[0], count);
  const last = Math.min(range[1], count);
  const rows: ComponentChild[] = [];
  for (let index = first; index < last; index++) {
    rows.push(
      <div
        key={index}
        style={{
          position: "absolute",
          top: `${index * rowPixels}px`,
          left: 0,
          right: 0,
          height: `${rowPixels}px`,
        }}
      >
        {row(index)}
      </div>,
    );
  }
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
    <section class="kcp-list" ref={box} onScroll={update} tabIndex={0} aria-label={label}>
      {head}
      <div style={{ position: "relative", height: `${count * rowPixels}px` }}>{rows}</div>
    </section>
  );
}
