import test from "ava";
import { documentOf, type Section, sectionOf, stepsBetween } from "../../../luci-app/src/models/section.ts";

const NETWORK: Section = {
  id: "network",
  type: "network",
  anonymous: false,
  fresh: false,
  values: { name: "lab", mtu: "1380" },
};
const PEER: Section = {
  id: "cfg01",
  type: "peer",
  anonymous: true,
  fresh: false,
  values: { uri: "udp://a:1" },
};

test("nothing changed = nothing to send", (t) => {
  t.deepEqual(stepsBetween([NETWORK, PEER], [NETWORK, PEER], "kcp-router"), []);
});

test("changed, emptied, added and removed: one step each", (t) => {
  const changed = { ...NETWORK, values: { name: "other", mtu: "" } };
  const added: Section = {
    id: "new1",
    type: "peer",
    anonymous: true,
    fresh: true,
    values: { uri: "udp://b:2", name: "" },
  };
  const config = "kcp-router";
  t.deepEqual(stepsBetween([NETWORK, PEER], [changed, added], config), [
    { method: "delete", args: { config, section: "cfg01" } },
    { method: "set", args: { config, section: "network", values: { name: "other" } } },
    { method: "delete", args: { config, section: "network", option: "mtu" } },
    { method: "add", args: { config, type: "peer", values: { uri: "udp://b:2" } }, id: "new1" },
  ]);
});

test("a section that has a name is added under it", (t) => {
  const [step] = stepsBetween([], [{ ...NETWORK, fresh: true }], "kcp-router");
  t.like(step, { method: "add", args: { name: "network", type: "network" } });
});

test("a list is one text in the form, and empty options are not written", (t) => {
  const section = sectionOf({
    name: "r",
    type: "rule",
    anonymous: false,
    values: { ports: ["80", "443"], source: "" },
  });
  t.is(section.values.ports, "80 443");
  const [written] = documentOf([section], { rule: { action: "force" } }).sections;
  t.deepEqual(
    written?.options.map(({ name }) => name),
    ["ports", "action"],
  );
});
