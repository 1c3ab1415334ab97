import { type Ipv4Prefix, networkOf } from "../wire/ipv4-prefix.ts";
import type { PortRange, Rule } from "./config.ts";
import { formatPrefix, parseWithPrefix } from "./ipv4.ts";
import { choiceKind, type Kind, type KindResult, notAllowed, type ValueForm } from "./kind.ts";
import { shownValue } from "./problem.ts";
import { didYouMean } from "./suggest.ts";

/** Most rules: each SYN may walk through all of them. */
export const MAX_RULES = 64;
/** Most ranges in one rule's `ports`. */
export const MAX_PORT_RANGES = 32;
/** Most characters of `ports`: room for as many ranges, with blanks. */
const MAX_PORTS_LENGTH = 1024;

/** The client's or the service's network. */
const networkKind: Kind<Ipv4Prefix> = {
  placeholder: "CIDR",
  allowed: "an IPv4 address or network like 192.168.1.0/24",
  shape: { type: "text", datatype: "network" },
  parse(value) {
    const parsed = typeof value === "string" ? parseWithPrefix(value, 32) : undefined;
    if (parsed === undefined) return notAllowed(value, this.allowed);
    return { ok: true, value: networkOf(parsed.address, parsed.prefixLength) };
  },
  write: formatPrefix,
};

const portsKind: Kind<readonly PortRange[]> = {
  placeholder: "PORTS",
  allowed: 'ports from 1 to 65535, like 443 or "80,443,8000-9000"',
  shape: { type: "text", datatype: "ports" },
  parse(value) {
    const ranges = parsePorts(value);
    return typeof ranges === "string" ? { ok: false, text: ranges } : { ok: true, value: ranges };
  },
  write: (ranges) =>
    ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(","),
};

/** The parts of a rule, in the order of help and files. */
export const RULE_PARTS: { readonly [Part in keyof Rule]-?: RulePart<NonNullable<Rule[Part]>> } = {
  action: {
    kind: choiceKind("ACTION", ["bypass", "force"]),
    required: true,
    help: "bypass: plain TCP, whatever the peer takes. force: carried whenever the peer takes it, over KCP where no proxy is switched on.",
  },
  source: {
    kind: networkKind,
    unset: "any",
    help: "Address of a LAN device, or a network: whose connections are meant.",
  },
  destination: { kind: networkKind, unset: "any", help: "Address or network of the service." },
  ports: { kind: portsKind, unset: "any", help: "Ports of the service." },
};
interface RulePart<T> {
  readonly kind: Kind<T>;
  readonly required?: true;
  /** What holds while it is not set, in words. */
  readonly unset?: string;
  readonly help: string;
}
const PART_NAMES = Object.keys(RULE_PARTS);

export const ruleKind: Kind<Rule> = {
  placeholder: "RULE",
  allowed: `a table with ${PART_NAMES.join(", ")}`,
  shape: { type: "parts" },
  parse(value, form) {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return notAllowed(value, this.allowed);
    return parseRule(value as Readonly<Record<string, unknown>>, form);
  },
  write: (rule) =>
    Object.fromEntries(
      Object.entries(RULE_PARTS).flatMap(([name, { kind }]) => {
        const value = rule[name as keyof Rule];
        return value === undefined ? [] : [[name, String((kind as Kind<unknown>).write(value))]];
      }),
    ),
};

/** One `[[kcp_router.rule]]` table or `config rule` section: `action`, and any of `source`, `destination`, `ports`. */
export function parseRule(
  table: Readonly<Record<string, unknown>>,
  form: ValueForm = "typed",
): KindResult<Rule> {
  for (const name of Object.keys(table)) {
    if (PART_NAMES.includes(name)) continue;
    const text = `${shownValue(name)} is not a key of a rule.${didYouMean(name, PART_NAMES)} A rule has ${PART_NAMES.join(", ")}.`;
    return { ok: false, text, part: name };
  }
  const rule: Record<string, unknown> = {};
  for (const [name, { kind }] of Object.entries(RULE_PARTS)) {
    if (table[name] === undefined) continue;
    const parsed = (kind as Kind<unknown>).parse(table[name], form);
    if (!parsed.ok) return { ok: false, text: parsed.text, part: name };
    rule[name] = parsed.value;
  }
  if (rule.action === undefined) {
    const text =
      'The action is missing; allowed is "bypass" (always plain TCP) or "force" (carried whenever the peer takes it).';
    return { ok: false, text, part: "action" };
  }
  if (rule.source === undefined && rule.destination === undefined && rule.ports === undefined) {
    const text =
      "The rule would match every connection. Name a source, a destination or ports; to switch the proxy off altogether use enable_kcp_proxy.";
    return { ok: false, text };
  }
  // Each part was read by the kind of its type.
  return { ok: true, value: rule as unknown as Rule };
}

/** `80`, `"80,443,8000-9000"`, `"80 443"` or `[80, "443-445"]` to sorted, merged ranges, or the sentence of what is wrong. */
export function parsePorts(value: unknown): readonly PortRange[] | string {
  const { allowed } = portsKind;
  const written: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (written.length === 0 || !written.every((item) => typeof item === "number" || typeof item === "string"))
    return `${shownValue(value)} was found; allowed are ${allowed}.`;
  if (written.join().length > MAX_PORTS_LENGTH)
    return `A text of more than ${MAX_PORTS_LENGTH} characters was found; allowed are ${allowed}.`;
  const texts = written.flatMap((item) =>
    String(item)
      .replace(/\s*-\s*/g, "-")
      .trim()
      .split(/\s*,\s*|\s+/),
  );
  if (texts.length > MAX_PORT_RANGES) {
    return `${texts.length} port ranges were found; allowed are ${MAX_PORT_RANGES} in one rule. Write a second rule.`;
  }
  const ranges: PortRange[] = [];
  for (const text of texts) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
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
