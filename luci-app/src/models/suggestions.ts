import { signal } from "@preact/signals";
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
        .map(({ address, mask }) => networkOf(address, mask));
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

/** 192.168.1.1, 24 → 192.168.1.0/24 */
function networkOf(address: string, mask: number): string {
  const bits = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const network = Math.floor(bits / 2 ** (32 - mask)) * 2 ** (32 - mask);
  const parts = [24, 16, 8, 0].map((shift) => Math.floor(network / 2 ** shift) % 256);
  return `${parts.join(".")}/${mask}`;
}
