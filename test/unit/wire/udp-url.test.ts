/** URLs of peers and listeners. */
import assert from "node:assert/strict";
import { isIP } from "node:net";
import test from "ava";
import fc from "fast-check";
import { parseListenerUrl, parsePeerUrl } from "../../../router-daemon/src/wire/udp-url.ts";

const PEERS: readonly [text: string, url: string, family: 0 | 4 | 6][] = [
  ["udp://203.0.113.5:11010", "udp://203.0.113.5:11010", 4],
  ["udp://203.0.113.5", "udp://203.0.113.5:11010", 4],
  ["udp://203.0.113.5:1/", "udp://203.0.113.5:1", 4],
  ["udp://[2001:DB8::1]:443", "udp://[2001:db8::1]:443", 6],
  ["udp://[::ffff:1.2.3.4]", "udp://[::ffff:1.2.3.4]:11010", 6],
  ["udp://example.net.", "udp://example.net.:11010", 0],
  ["UDP://My-Host_1.lan:5", "udp://my-host_1.lan:5", 0],
];
for (const [text, url, family] of PEERS) {
  test(`${text} can be dialled`, (t) => {
    t.like(parsePeerUrl(text), { url, family });
  });
}

const REFUSED: readonly [text: string, sentence: RegExp][] = [
  ["tcp://203.0.113.5:11010", /^tcp links are not supported by kcp-router, only udp\./],
  ["ws://h", /^ws links/],
  ["QUIC://h", /^quic links/],
  ["https://example.net/list?x=1", /^https:\/\/ lists are not supported/],
  ["txt://example.net", /^txt:\/\/ lists/],
  ["gopher://h", /only scheme is udp/],
  ["203.0.113.5:11010", /Write udp:\/\/ in front/],
  ["", /Write udp:\/\/ in front/],
  ["udp://", /neither an IP address nor a host name/],
  ["udp://:5", /neither an IP address nor a host name/],
  ["udp://h:0", /port is a whole number/],
  ["udp://h:70000", /port is a whole number/],
  ["udp://h:x", /port is a whole number/],
  ["udp://1.2.3.999:5", /neither an IP address nor a host name/],
  ["udp://0x7f000001", /neither an IP address nor a host name/],
  ["udp://ho st:5", /neither an IP address nor a host name/],
  ["udp://-bad-:5", /neither an IP address nor a host name/],
  ["udp://[1.2.3.4]:5", /neither an IP address nor a host name/],
  ["udp://::1:5", /stands in brackets/],
  ["udp://[::1", /stands in brackets/],
  ["udp://0.0.0.0:5", /no address to dial/],
  ["udp://[::]:5", /no address to dial/],
  ["udp://user@h:5", /user name or password/],
  ["tcp://user:secret@h:5", /user name or password/],
  ["udp://h:5?x", /Nothing may follow the port/],
  ["udp://h:5/eth0", /Nothing may follow the port/],
];
for (const [text, sentence] of REFUSED) {
  test(`"${text}" is refused with a sentence`, (t) => {
    const told = parsePeerUrl(text);
    t.is(typeof told, "string");
    t.regex(String(told), sentence);
    t.regex(String(told), /\.$/);
    t.notRegex(String(told), /secret/);
  });
}

test("a listener has an address of this machine, and port 0 lets the system choose", (t) => {
  for (const text of ["udp://0.0.0.0:11010", "udp://[::]:11010", "udp://127.0.0.1", "udp://0.0.0.0:0"])
    t.is(typeof parseListenerUrl(text), "object", text);
  t.regex(String(parseListenerUrl("udp://example.net:11010")), /needs an IP address of this machine/);
  t.regex(String(parseListenerUrl("tcp://0.0.0.0:11010")), /tcp links/);
});

test("IPv6 addresses are told from other texts as Node tells them", (t) => {
  const isIpv6 = (text: string) => typeof parseListenerUrl(`udp://[${text}]`) === "object";
  fc.assert(fc.property(fc.ipV6(), (text) => assert.ok(isIpv6(text), text)));
  const piece = fc.constantFrom("", ":", "::", "1", "ffff", "12345", "g", "1.2.3.4", "1.2.3", "0");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join("");
      assert.equal(isIpv6(text), isIP(text) === 6, text);
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

test("no text makes the parsers throw, and what they make they take again", (t) => {
  const texts = fc.oneof(fc.string(), fc.webUrl(), fc.stringMatching(/^udp:\/\/[0-9a-z.[\]:-]{0,20}$/));
  fc.assert(
    fc.property(texts, (text) => {
      for (const parse of [parsePeerUrl, parseListenerUrl]) {
        const parsed = parse(text);
        if (typeof parsed !== "string") assert.deepEqual(parse(parsed.url), parsed);
      }
    }),
    { numRuns: 1000 },
  );
  t.pass();
});
