import type { ComponentChildren } from "preact";

/** Name and value pairs; a pair without a value is left out. */
export function Facts({ of }: { readonly of: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="kcp-facts">
      {of
        .filter(([, value]) => value !== "" && value !== null && value !== undefined)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="kcp-text">{value}</dd>
          </div>
        ))}
    </dl>
  );
}
