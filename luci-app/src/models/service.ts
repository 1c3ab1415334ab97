/** Is the daemon's process there? Asked of procd, and only while the daemon itself does not answer. */
import { CallFailure, ubus } from "../luci/call.ts";

export type ServiceState =
  /** procd does not run it: stopped by hand, or `enabled` is off. */
  | { readonly kind: "off" }
  /** It is running and will answer soon. */
  | { readonly kind: "starting" }
  /** It ended by itself; procd starts it again soon. */
  | { readonly kind: "restarting"; readonly exitCode: number }
  /** It ended too often in a short time; procd has given up. */
  | { readonly kind: "stood_down"; readonly exitCode: number }
  /** procd could not be asked. */
  | { readonly kind: "unknown"; readonly message: string };

interface Instance {
  readonly running?: boolean;
  /** Of the last run; of one ended by a signal, 128 and the signal's number. */
  readonly exit_code?: number;
  /** What procd does when it ends. It strikes that out when it gives up. */
  readonly respawn?: object;
}

export async function serviceState(): Promise<ServiceState> {
  try {
    const answer = (await ubus("service", "list", { name: "kcp-router" })) as Record<
      string,
      { readonly instances?: Record<string, Instance> } | undefined
    >;
    const instances = Object.values(answer["kcp-router"]?.instances ?? {});
    if (instances.some(({ running }) => running === true)) return { kind: "starting" };
    // Of a service that was stopped, procd keeps no instance.
    const [ended] = instances;
    if (ended === undefined) return { kind: "off" };
    return {
      kind: ended.respawn === undefined ? "stood_down" : "restarting",
      exitCode: ended.exit_code ?? 0,
    };
  } catch (failure) {
    return { kind: "unknown", message: failure instanceof CallFailure ? failure.message : "" };
  }
}

/** What the service's buttons do; needs the right to write. Resolves when procd has taken the order. */
export async function orderService(action: "start" | "stop" | "restart"): Promise<void> {
  await ubus("rc", "init", { name: "kcp-router", action });
}
