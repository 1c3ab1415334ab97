import { inPrefix, networkOf } from "../wire/ipv4-prefix.ts";
import { type Config, DEFAULTS, effectiveSmoltcp, type OptionKey } from "./config.ts";
import { formatInterfaceAddress, formatPrefix } from "./ipv4.ts";
import { isList, type ListOption, OPTION_LIST, type ScalarOption } from "./options.ts";
import { hasErrors, type Origin, type Problem, type ProblemList } from "./problem.ts";
import type { RawConfig, RawOption } from "./raw.ts";
import { UCI_PACKAGE } from "./uci/sections.ts";

/** A configuration that may be used, or why it may not. Warnings come with both. */
export type Verified =
  | {
      readonly ok: true;
      readonly config: Config;
      /** What of it the sources say; the rest are defaults. */
      readonly written: Partial<Config>;
      readonly problems: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Which words the remedies use. */
export type FileForm = "toml" | "uci";

export interface VerifyContext {
  /** The machine's own name, for when none is configured. */
  readonly systemHostname: string;
}

/** The one verifier: turns what the sources say into a complete configuration. Never throws. */
export function verifyConfig(
  raw: RawConfig,
  problems: ProblemList,
  context: VerifyContext,
  form: FileForm = "toml",
): Verified {
  const written = readValues(raw, problems);
  if (!raw.has("ipv4")) problems.error(missingOrigin(form), "ipv4", missingText(form));
  if (hasErrors(problems.all)) return { ok: false, problems: problems.all };

  // Only what is required has no default, and it is there.
  const config = { ...DEFAULTS, hostname: fallbackHostname(context.systemHostname), ...written } as Config;
  checkTogether(config, raw, problems);
  if (hasErrors(problems.all)) return { ok: false, problems: problems.all };
  return { ok: true, config: Object.freeze(config), written, problems: problems.all };
}

/** Each value by itself: those that are good. What is wrong with the others is added to the problems. */
export function readValues(raw: RawConfig, problems: ProblemList): Partial<Config> {
  const values: [OptionKey, unknown][] = [];
  for (const option of OPTION_LIST) {
    const written = raw.get(option.key);
    if (written === undefined) continue;
    const value = isList(option)
      ? readList(option.key, option, written, problems)
      : readScalar(option.key, option, written, problems);
    if (value !== undefined) values.push([option.key, value]);
  }
  // The table of options has one row per key of Config, each with a kind of the key's type.
  return Object.fromEntries(values);
}

function missingText(form: FileForm): string {
  const remedy =
    form === "uci"
      ? `Run: uci set ${UCI_PACKAGE}.network.ipv4='10.126.126.1/24'`
      : 'Write ipv4 = "10.126.126.1/24" at the top of the file, or give --ipv4 10.126.126.1/24.';
  return `ipv4 is missing: every node needs a virtual address of its own. ${remedy}`;
}

function missingOrigin(form: FileForm): Origin {
  return form === "uci" ? { ...NOWHERE, section: "network", option: "ipv4" } : NOWHERE;
}

const NOWHERE: Origin = { source: "", place: "" };

function readScalar(
  key: OptionKey,
  option: ScalarOption<unknown>,
  written: RawOption,
  problems: ProblemList,
): unknown {
  const item = written.items[0];
  if (item === undefined) return undefined;
  const result = option.kind.parse(item.value, item.form);
  if (result.ok) return result.value;
  problems.error(item.origin, key, result.text);
  return undefined;
}

function readList(
  key: OptionKey,
  option: ListOption<unknown>,
  written: RawOption,
  problems: ProblemList,
): readonly unknown[] | undefined {
  if (written.items.length > option.maxItems) {
    const found = `${written.items.length} were found; allowed are at most ${option.maxItems}. Remove some.`;
    problems.error(written.origin, key, found);
    return undefined;
  }
  const values: unknown[] = [];
  const seen = new Set<string>();
  for (const item of written.items) {
    const result = option.item.parse(item.value, item.form);
    if (!result.ok) {
      problems.error(item.parts?.get(result.part ?? "") ?? item.origin, key, result.text);
      continue;
    }
    const identity = JSON.stringify(result.value);
    if (seen.has(identity))
      problems.warning(item.origin, key, "It stands there twice; the second is ignored. Remove one.");
    else values.push(result.value);
    seen.add(identity);
  }
  return Object.freeze(values);
}

/** What no value shows by itself. */
function checkTogether(config: Config, raw: RawConfig, problems: ProblemList): void {
  const at = (key: OptionKey) => raw.get(key)?.origin ?? NOWHERE;
  const own = networkOf(config.ipv4.address, config.ipv4.prefixLength);
  for (const subnet of config.proxy_networks) {
    if (subnet.prefixLength >= own.prefixLength && inPrefix(subnet.network, own)) {
      const text = `${formatPrefix(subnet)} lies inside the virtual network ${formatPrefix(own)} of ipv4 ${formatInterfaceAddress(config.ipv4)}. Export a subnet behind this node, or move the virtual network.`;
      problems.error(at("proxy_networks"), "proxy_networks", text);
    }
  }
  if (config.listeners.length === 0 && config.peers.length === 0) {
    const text =
      "There is neither a listener nor a peer, so no other node could ever be reached. Name a peer, or a listener.";
    problems.error(at("listeners"), "peers", text);
  }
  if (config.network_secret.isEmpty) {
    const text =
      "The network has no secret: whoever knows its name may join and read along. Set the same network_secret on all nodes.";
    problems.warning(at("network_secret"), "network_secret", text);
  }
  if (config.rpc_listen !== "" && config.rpc_token_file === "") {
    const text =
      "The API is served over TCP only to those who have a token. Name their file: rpc_token_file.";
    problems.error(at("rpc_listen"), "rpc_token_file", text);
  }
  if (!config.enable_encryption) {
    const text =
      "Encryption is off: the provider can read what crosses the network. Remove it unless all nodes agree on that.";
    problems.warning(at("enable_encryption"), "enable_encryption", text);
  }
  if (raw.has("use_smoltcp") && !config.use_smoltcp && effectiveSmoltcp(config)) {
    const text =
      "use_smoltcp = false has no effect while a proxy is on or a rule forces one: the user-space stack is forced on. Remove it.";
    problems.warning(at("use_smoltcp"), "use_smoltcp", text);
  }
}

/** The machine's name as far as it may be shown to others. */
function fallbackHostname(systemHostname: string): string {
  const printable = systemHostname.replace(/[^\x21-\x7e]/g, "").slice(0, 64);
  return printable === "" ? "kcp-router" : printable;
}
