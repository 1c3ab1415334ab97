import type { ComponentChildren } from "preact";

/** A name, its value, and whether the value is long and wants the room of two. */
export type Fact = readonly [name: string, value: ComponentChildren, width?: "wide"];

/** Name and value pairs; a pair without a value is left out. */
export function Facts({ of }: { readonly of: readonly Fact[] }) {
  return (
    <dl class="kcp-facts">
      {of
        .filter(([, value]) => value !== "" && value !== null && value !== undefined)
        .map(([name, value, width]) => (
          <div key={name} class={width}>
            <dt>{name}</dt>
            <dd class="kcp-text">{value}</dd>
          </div>
        ))}
    </dl>
  );
}
