import { signal } from "@preact/signals";
import { CallFailure, ubus } from "../luci/call.ts";

interface Hint {
  readonly name?: string;
  readonly ipaddrs?: readonly string[];
}

/** Names of the LAN's devices by address, as LuCI knows them (DHCP leases, static hosts, ARP). */
export class Devices {
  readonly names = signal<ReadonlyMap<string, string>>(new Map());

  /** Asked once per page: names hardly change. Without the right to ask, addresses are shown. */
  async load(): Promise<void> {
    try {
      const hints = (await ubus("luci-rpc", "getHostHints", {})) as Record<string, Hint>;
      const names = new Map<string, string>();
      for (const { name, ipaddrs } of Object.values(hints)) {
        for (const address of ipaddrs ?? []) if (name !== undefined) names.set(address, name);
      }
      this.names.value = names;
    } catch (failure) {
      if (!(failure instanceof CallFailure)) throw failure;
    }
  }

  nameOf(address: string): string {
    return this.names.value.get(address) ?? address;
  }
}
