import test from "ava";
import fc from "fast-check";
import { MAX_PORT_RANGES, MAX_RULES, parsePorts, parseRule } from "../../../router-daemon/src/config/rule.ts";
import { withToml } from "./sources.ts";

function refusal(table: Record<string, unknown>): string {
  const result = parseRule(table);
  return result.ok ? "taken" : result.text;
}

test("a rule names an action and any of source, destination and ports", (t) => {
  const result = parseRule({
    action: "bypass",
    source: "192.168.1.20",
    destination: "192.168.2.9/24",
    ports: "443, 80,8000-9000",
  });
  t.deepEqual(result, {
    ok: true,
    value: {
      action: "bypass",
      source: { network: 0xc0a80114, prefixLength: 32 },
      destination: { network: 0xc0a80200, prefixLength: 24 },
      ports: [
        { first: 80, last: 80 },
        { first: 443, last: 443 },
        { first: 8000, last: 9000 },
      ],
    },
  });
  t.deepEqual(parseRule({ action: "force", ports: 443 }), {
    ok: true,
    value: { action: "force", ports: [{ first: 443, last: 443 }] },
  });
});

test("rules are refused with what was found and what is allowed", (t) => {
  t.regex(refusal({}), /The action is missing; allowed is "bypass"/);
  t.regex(refusal({ action: "drop", ports: 1 }), /"drop" was found; allowed is "bypass", "force"/);
  t.regex(refusal({ action: "force" }), /would match every connection/);
  t.regex(
    refusal({ action: "force", sorce: "1.2.3.4" }),
    /"sorce" is not a key of a rule\. Did you mean source\?/,
  );
  t.regex(refusal({ action: "force", source: 5 }), /5 was found; allowed is an IPv4 address or network/);
  t.regex(
    refusal({ action: "force", destination: "::1" }),
    /"::1" was found; allowed is an IPv4 address or network/,
  );
  t.regex(refusal({ action: "force", ports: "90-80" }), /begins with its lower port\. Write 80-90\./);
  t.regex(refusal({ action: "force", ports: "0" }), /allowed are ports from 1 to 65535/);
  t.regex(refusal({ action: "force", ports: "65536" }), /allowed are ports from 1 to 65535/);
  t.regex(refusal({ action: "force", ports: [] }), /allowed are ports/);
  t.regex(refusal({ action: "force", ports: true }), /allowed are ports/);
});

test("ports are merged: the same ports match as were written", (t) => {
  const range = fc
    .tuple(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 0, max: 40 }))
    .map(([first, more]) => ({ first, last: first + more }));
  fc.assert(
    fc.property(fc.array(range, { minLength: 1, maxLength: 20 }), (ranges) => {
      const merged = parsePorts(ranges.map(({ first, last }) => `${first}-${last}`).join(","));
      if (typeof merged === "string") return false;
      for (let port = 1; port <= 450; port++) {
        const written = ranges.some(({ first, last }) => port >= first && port <= last);
        if (written !== merged.some(({ first, last }) => port >= first && port <= last)) return false;
      }
      return merged.every((entry, at) => at === 0 || entry.first > (merged[at - 1]?.last ?? 0) + 1);
    }),
  );
  t.pass();
});

test("the number of rules and of port ranges is bounded", (t) => {
  const many = (count: number) => Array.from({ length: count }, (_, at) => at * 2 + 1).join(",");
  t.is(typeof parsePorts(many(MAX_PORT_RANGES)), "object");
  t.regex(String(parsePorts(many(MAX_PORT_RANGES + 1))), /allowed are 32 in one rule/);

  const rules = (count: number) =>
    '[[kcp_router.rule]]\naction = "bypass"\nports = 1\n'.replace("= 1", "= PORT").repeat(count);
  const numbered = (count: number) => {
    let port = 0;
    return rules(count).replace(/PORT/g, () => String(++port));
  };
  t.is(withToml("", numbered(MAX_RULES)).config?.rules.length, MAX_RULES);
  t.regex(withToml("", numbered(MAX_RULES + 1)).errors.join(), /65 were found; allowed are at most 64/);
});
