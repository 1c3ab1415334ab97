import test from "ava";
import { csv } from "../../../luci-app/src/text/csv.ts";
import type { ConnectionRow } from "../../../router-daemon/src/api/rows.ts";

const ROW: ConnectionRow = {
  id: 1,
  role: "source",
  src: "10.0.0.2:5",
  dst: "10.0.1.2:80",
  peerId: 7,
  peerName: "b",
  transport: "kcp",
  reason: "kcp_allowed",
  reasonText: "",
  state: "Connected",
  startTime: 1,
  upBytes: 2,
  downBytes: 3,
  upRate: 4,
  downRate: 5,
  rttMs: null,
  retransmittedShare: 0.5,
  ageMs: 6,
};

test("one line of names, then one per connection; what is unknown is empty", (t) => {
  const [head, line, end] = csv([ROW]).split("\r\n");
  t.is(head?.split(",").length, line?.split(",").length);
  t.regex(line ?? "", /^1,source,10\.0\.0\.2:5,10\.0\.1\.2:80,7,b,kcp,.*,,0\.5$/);
  t.is(end, "");
});

test("names of strangers neither break the table nor become formulas", (t) => {
  const line = (peerName: string) => csv([{ ...ROW, peerName }]).split("\r\n")[1] ?? "";
  t.true(line('a"b,c').includes('"a""b,c"'));
  t.true(line("=1+1").includes("'=1+1"));
  t.true(line("@x").includes("'@x"));
  t.is(csv([{ ...ROW, peerName: "a\r\nb" }]).match(/"a\r\nb"/g)?.length, 1);
});
