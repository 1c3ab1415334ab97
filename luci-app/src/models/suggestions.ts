import { signal } from "@preact/signals";
import { formatPrefix, parseIpv4 } from "../../../router-daemon/src/config/ipv4.ts";
import { networkOf } from "../../../router-daemon/src/wire/ipv4-prefix.ts";
import { CallFailure, ubus } from "../luci/call.ts";
import type { Devices } from "./devices.ts";

interface Interface {
  readonly interface?: string;
  readonly "ipv4-address"?: readonly { readonly address: string; readonly mask: number }[];
}

/** What the router knows and the form can offer: its own networks, the LAN's devices. */
export class Suggestions {
  /** Networks of this router's interfaces. */
  readonly networks = signal<readonly string[]>([]);
  readonly #devices: Devices;

  constructor(devices: Devices) {
    this.#devices = devices;
  }

  async load(): Promise<void> {
    await this.#devices.load();
    try {
      const answer = (await ubus("network.interface", "dump", {})) as {
        readonly interface?: readonly Interface[];
      };
      const networks = (answer.interface ?? [])
        .filter((one) => one.interface !== "loopback")
        .flatMap((one) => one["ipv4-address"] ?? [])
        .map(({ address, mask }) => formatPrefix(networkOf(parseIpv4(address) ?? 0, mask)));
      this.networks.value = [...new Set(networks)];
    } catch (failure) {
      if (!(failure instanceof CallFailure)) throw failure;
    }
  }

  /** For an option that means something of this kind. */
  of(datatype: string): readonly string[] | undefined {
    switch (datatype) {
      case "exported_subnet":
        return this.networks.value;
      case "network":
        return [...this.#devices.names.value.keys(), ...this.networks.value];
      case "listener_url":
        return ["udp://0.0.0.0:11010"];
      default:
        return undefined;
    }
  }
}
