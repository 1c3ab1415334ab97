import type { PortRange, Rule } from "./config.ts";
import { networkOf, type Prefix, parseWithPrefix } from "./ipv4.ts";
import { shownValue } from "./problem.ts";
import { didYouMean } from "./suggest.ts";

/** Most rules: each SYN may walk through all of them. */
export const MAX_RULES = 64;
/** Most ranges in one rule's `ports`. */
export const MAX_PORT_RANGES = 32;

const RULE_KEYS = ["action", "source", "destination", "ports"];

export type RuleResult =
  | { readonly ok: true; readonly value: Rule }
  | { readonly ok: false; readonly text: string };

/** One `[[kcp_router.rule]]` table: `action`, and any of `source`, `destination`, `ports`. */
export function parseRule(table: Readonly<Record<string, unknown>>): RuleResult {
  for (const key of Object.keys(table)) {
    if (!RULE_KEYS.includes(key)) {
      return fail(
        `${shownValue(key)} is not a key of a rule.${didYouMean(key, RULE_KEYS)} A rule has ${RULE_KEYS.join(", ")}.`,
      );
    }
  }
  const action = table.action;
  if (action !== "bypass" && action !== "force") {
    const found = action === undefined ? "No action" : shownValue(action);
    return fail(
      `${found} was found; allowed as action is "bypass" (never KCP) or "force" (KCP whenever the peer takes it).`,
    );
  }
  const source = parseNetwork(table.source, "source");
  if (typeof source === "string") return fail(source);
  const destination = parseNetwork(table.destination, "destination");
  if (typeof destination === "string") return fail(destination);
  const ports = table.ports === undefined ? undefined : parsePorts(table.ports);
  if (typeof ports === "string") return fail(ports);
  if (source === undefined && destination === undefined && ports === undefined) {
    return fail(
      "The rule would match every connection. Name a source, a destination or ports; to switch the proxy off altogether use enable_kcp_proxy.",
    );
  }
  return {
    ok: true,
    value: {
      action,
      ...(source === undefined ? {} : { source }),
      ...(destination === undefined ? {} : { destination }),
      ...(ports === undefined ? {} : { ports }),
    },
  };
}

/** The prefix, undefined when absent, or the sentence of what is wrong. */
function parseNetwork(value: unknown, key: string): Prefix | undefined | string {
  if (value === undefined) return undefined;
  const parsed = typeof value === "string" ? parseWithPrefix(value, 32) : undefined;
  if (parsed === undefined) {
    return `${shownValue(value)} was found; allowed as ${key} is an IPv4 address or network like 192.168.1.0/24.`;
  }
  return networkOf(parsed.address, parsed.prefixLength);
}

/** `80`, `"80,443,8000-9000"` or `[80, 443]` to sorted, merged ranges, or the sentence of what is wrong. */
export function parsePorts(value: unknown): readonly PortRange[] | string {
  const allowed = 'ports from 1 to 65535, like 443 or "80,443,8000-9000"';
  const items = Array.isArray(value)
    ? value.map(String)
    : typeof value === "number"
      ? [String(value)]
      : undefined;
  const texts = items ?? (typeof value === "string" ? value.split(",") : undefined);
  if (texts === undefined || texts.length === 0)
    return `${shownValue(value)} was found; allowed are ${allowed}.`;
  if (texts.length > MAX_PORT_RANGES) {
    return `${texts.length} port ranges were found; allowed are ${MAX_PORT_RANGES} in one rule. Write a second rule.`;
  }
  const ranges: PortRange[] = [];
  for (const text of texts) {
    const match = /^\s*(\d{1,5})\s*(?:-\s*(\d{1,5})\s*)?$/.exec(text);
    const first = Number(match?.[1] ?? 0);
    const last = Number(match?.[2] ?? first);
    if (match === null || first < 1 || last > 65535)
      return `${shownValue(text)} was found; allowed are ${allowed}.`;
    if (last < first)
      return `${shownValue(text)} was found; a range begins with its lower port. Write ${last}-${first}.`;
    ranges.push({ first, last });
  }
  return merge(ranges);
}

function merge(ranges: readonly PortRange[]): readonly PortRange[] {
  const merged: PortRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    const previous = merged[merged.length - 1];
    if (previous !== undefined && range.first <= previous.last + 1) {
      merged[merged.length - 1] = { first: previous.first, last: Math.max(previous.last, range.last) };
    } else {
      merged.push(range);
    }
  }
  return merged;
}

function fail(text: string): RuleResult {
  return { ok: false, text };
}
