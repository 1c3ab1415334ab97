/**
 * The one nftables table that is ours: what forwarding between LAN and mesh needs beyond the router's own firewall. Nothing
 * of ours stands outside it, and it lives as long as the TUN device.
 *
 * ```
 *   far node ── mesh ──▶ kcp0 ─ forward ─▶ LAN host      into an exported LAN: from the router's own address, so that the
 *                                                        host needs no route back
 *   LAN host ─ forward ─▶ kcp0 ──▶ mesh                  from an address that no other node knows a way to: from the
 *                                                        router's virtual address; an exported LAN keeps its addresses
 * ```
 * It decides nothing about what may pass: that is the router's firewall's (zone `kcp`), with it or without.
 */
import type { Config } from "../config/config.ts";
import { formatPrefix } from "../config/ipv4.ts";
import { type Ipv4Prefix, networkOf } from "../wire/ipv4-prefix.ts";

/** Family and name. */
export const TABLE = "inet kcp_router";

/** What the table depends on. */
export type FirewallConfig = Pick<Config, "dev_name" | "ipv4" | "proxy_networks">;

/** Text for `nft -f -`: replaces the table, whether there is one or not, in one transaction. */
export function firewallRuleset(config: FirewallConfig): string {
  const device = `"${config.dev_name}"`;
  const exported = config.proxy_networks;
  const known = [networkOf(config.ipv4.address, config.ipv4.prefixLength), ...exported];
  const intoLan =
    exported.length === 0 ? [] : [`iifname ${device} oifname != ${device} ip daddr @exported masquerade`];
  return `table ${TABLE}
delete table ${TABLE}
table ${TABLE} {
${exported.length === 0 ? "" : set("exported", exported)}${set("known", known)}	chain forward {
		type filter hook forward priority mangle; policy accept;
		iifname ${device} tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
		oifname ${device} tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
	}

	chain postrouting {
		type nat hook postrouting priority srcnat - 1; policy accept;
${[...intoLan, `oifname ${device} ip saddr != @known masquerade`].map((rule) => `\t\t${rule}\n`).join("")}	}
}
`;
}

/** `auto-merge`: one exported subnet may lie in another. */
function set(name: string, prefixes: readonly Ipv4Prefix[]): string {
  return `	set ${name} {
		type ipv4_addr; flags interval; auto-merge
		elements = { ${prefixes.map(formatPrefix).join(", ")} }
	}

`;
}
