import test from "ava";
import fc from "fast-check";
import { readListenerUrl, readPeerUrl, type UrlResult } from "../../../router-daemon/src/config/url.ts";

function url(result: UrlResult): string {
  return result.ok ? result.value.url : result.text;
}

test("listeners take every form of EasyTier's", (t) => {
  const forms: [string, string][] = [
    ["11010", "udp://0.0.0.0:11010"],
    ["udp", "udp://0.0.0.0:11010"],
    ["udp:12000", "udp://0.0.0.0:12000"],
    ["192.168.1.1", "udp://192.168.1.1:11010"],
    ["192.168.1.1:12000", "udp://192.168.1.1:12000"],
    ["udp://0.0.0.0:11010", "udp://0.0.0.0:11010"],
    ["udp://192.168.1.1", "udp://192.168.1.1:11010"],
    ["UDP://192.168.1.1:5/", "udp://192.168.1.1:5"],
    ["udp://[::]:11010", "udp://[::]:11010"],
    ["[::1]:5", "udp://[::1]:5"],
    ["udp://[2001:DB8::1]", "udp://[2001:db8::1]:11010"],
  ];
  for (const [text, expected] of forms) t.is(url(readListenerUrl(text)), expected, text);
});

test("peers are addresses or names, with EasyTier's default port", (t) => {
  const forms: [string, string, 0 | 4 | 6][] = [
    ["udp://203.0.113.5:11010", "udp://203.0.113.5:11010", 4],
    ["udp://203.0.113.5", "udp://203.0.113.5:11010", 4],
    ["udp://vpn.example.org:1", "udp://vpn.example.org:1", 0],
    ["udp://VPN.Example.org.", "udp://vpn.example.org.:11010", 0],
    ["udp://my_host-1", "udp://my_host-1:11010", 0],
    ["udp://[fe80::1]:65535", "udp://[fe80::1]:65535", 6],
    ["udp://[::ffff:1.2.3.4]", "udp://[::ffff:1.2.3.4]:11010", 6],
  ];
  for (const [text, expected, family] of forms) {
    const result = readPeerUrl(text);
    t.is(url(result), expected, text);
    t.is(result.ok ? result.value.family : undefined, family, text);
  }
});

test("other link protocols and lists are refused by name", (t) => {
  for (const scheme of ["tcp", "ws", "wss", "wg", "quic", "faketcp"]) {
    t.regex(
      url(readPeerUrl(`${scheme}://1.2.3.4:5`)),
      new RegExp(`${scheme} links are not supported by kcp-router`),
    );
    t.regex(
      url(readListenerUrl(`${scheme}:5`)),
      new RegExp(`${scheme} links are not supported by kcp-router`),
    );
  }
  for (const scheme of ["http", "https", "txt", "srv"]) {
    t.regex(
      url(readPeerUrl(`${scheme}://example.org`)),
      new RegExp(`${scheme}:// lists are not supported by kcp-router`),
    );
  }
});

test("wrong URLs are sentences that say what is allowed", (t) => {
  const peers = [
    "",
    "203.0.113.5:11010",
    "udp://",
    "udp://1.2.3.4:0",
    "udp://0.0.0.0:5",
    "udp://[::]:5",
    "udp://1.2.3.4:65536",
    "udp://1.2.3.4:x",
    "udp://1.2.3.4:11010/eth0",
    "udp://1.2.3.4?x",
    "udp://1.2.3.256",
    "udp://1.2.3",
    "udp://0x7f000001",
    "udp://::1:5",
    "udp://[::1",
    "udp://[:::1]",
    "udp://-host",
    "udp://a b",
    "foo://1.2.3.4",
  ];
  for (const text of peers) {
    const result = readPeerUrl(text);
    t.false(result.ok, text);
    t.regex(url(result), /udp:\/\/.*\.$/s, text);
  }
  t.regex(url(readListenerUrl("udp://myhost:5")), /A listener needs an IP address/);
  t.regex(url(readListenerUrl("udp://0.0.0.0:0")), /The port is a whole number from 1/);
});

test("a password in a URL is not repeated", (t) => {
  for (const parse of [readPeerUrl, readListenerUrl]) {
    const text = url(parse("udp://me:hunter2@1.2.3.4:5"));
    t.regex(text, /user name or password/);
    t.false(text.includes("hunter2"));
  }
});

test("no text makes the parsers throw, and what they take they take again", (t) => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.webUrl(), fc.stringMatching(/^udp:\/\/[0-9a-z.[\]:-]{0,20}$/)),
      (text) => {
        for (const parse of [readPeerUrl, readListenerUrl]) {
          const result = parse(text);
          if (!result.ok) continue;
          const again = parse(result.value.url);
          if (!again.ok || JSON.stringify(again.value) !== JSON.stringify(result.value)) return false;
        }
        return true;
      },
    ),
    { numRuns: 1000 },
  );
  t.pass();
});
