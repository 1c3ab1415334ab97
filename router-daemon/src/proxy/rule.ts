import { type Ipv4Prefix, inPrefix } from "../wire/ipv4-prefix.ts";

/** One rule of the user: which connections never, or always, use the proxy. The first rule that matches decides. */
export interface Rule {
  readonly action: "bypass" | "force";
  /** Client's network; absent = any. Addresses are 32-bit numbers, most significant octet first. */
  readonly source?: Ipv4Prefix;
  readonly destination?: Ipv4Prefix;
  /** Destination ports, inclusive ranges; absent = any. */
  readonly ports?: readonly { readonly first: number; readonly last: number }[];
}

/** The first rule that matches, or undefined. */
export function matchRule(
  rules: readonly Rule[],
  sourceIp: number,
  destinationIp: number,
  destinationPort: number,
): Rule | undefined {
  for (const rule of rules) {
    if (rule.source !== undefined && !inPrefix(sourceIp, rule.source)) continue;
    if (rule.destination !== undefined && !inPrefix(destinationIp, rule.destination)) continue;
    if (
      rule.ports !== undefined &&
      !rule.ports.some((p) => destinationPort >= p.first && destinationPort <= p.last)
    )
      continue;
    return rule;
  }
  return undefined;
}
