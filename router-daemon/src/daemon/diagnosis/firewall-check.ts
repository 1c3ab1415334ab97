/** Does the router's own firewall let LAN and mesh talk? Read from its configuration; nothing is changed. */
import type { UciSection } from "../../config/uci/document.ts";
import { parseUci } from "../../config/uci/parser.ts";
import { type Check, type Finding, failed, passed, type Scene, skipped } from "./check.ts";

const FIREWALL = "/etc/config/firewall";
const NETWORK = "/etc/config/network";

export const FIREWALL_CHECK: Check = {
  code: "firewall_zone",
  title: "Firewall zone",
  run: checkZone,
};

function checkZone({ readFile, config }: Pick<Scene, "readFile" | "config">): Finding {
  const firewall = sectionsOf(readFile(FIREWALL));
  if (firewall === undefined) return skipped("This machine has no OpenWrt firewall configuration.");
  const device = config.dev_name;
  const interfaces = (sectionsOf(readFile(NETWORK)) ?? [])
    .filter((section) => section.type === "interface" && values(section, "device").includes(device))
    .map(({ name }) => name);
  const zone = firewall.find((section) => section.type === "zone" && holds(section, device, interfaces));
  if (zone === undefined) {
    return failed(
      `No zone of the firewall holds ${device}: what would be forwarded between LAN and mesh is dropped.`,
      "Under Network > Firewall put the interface kcp into a zone, and allow forwarding between it and lan.",
    );
  }
  const [name = ""] = values(zone, "name");
  const forwardings = firewall.filter(({ type }) => type === "forwarding").filter(isOn);
  const others = (own: string, other: string) =>
    forwardings
      .filter((section) => values(section, own).includes(name))
      .flatMap((section) => values(section, other));
  const from = others("dest", "src");
  const to = others("src", "dest");
  if (from.length === 0 && to.length === 0) {
    return failed(
      `The firewall's zone ${name} holds ${device}, but nothing may be forwarded from or to it.`,
      `Under Network > Firewall allow forwarding between the zones ${name} and lan.`,
    );
  }
  const list = (zones: readonly string[]) => (zones.length === 0 ? "no zone" : zones.join(", "));
  return passed(
    `The zone ${name} holds ${device}; into it come ${list(from)}, out of it one gets to ${list(to)}.`,
  );
}

function sectionsOf(text: string | undefined): readonly UciSection[] | undefined {
  const parsed = text === undefined ? undefined : parseUci(text);
  return parsed?.ok ? parsed.document.sections : undefined;
}

/** An option's words or a list's items: the firewall takes both for the same. */
function values(section: UciSection, name: string): readonly string[] {
  const value = section.options.find((option) => option.name === name)?.value ?? [];
  return typeof value === "string" ? value.split(/\s+/) : value;
}

/** By the device's name, `kcp+` meaning every name that begins so, or by an interface. */
function holds(zone: UciSection, device: string, interfaces: readonly string[]): boolean {
  const byName = values(zone, "device").some((pattern) =>
    pattern.endsWith("+") ? device.startsWith(pattern.slice(0, -1)) : pattern === device,
  );
  return byName || values(zone, "network").some((name) => interfaces.includes(name));
}

function isOn(section: UciSection): boolean {
  return !["0", "off", "false", "no", "disabled"].includes(values(section, "enabled")[0] ?? "1");
}
