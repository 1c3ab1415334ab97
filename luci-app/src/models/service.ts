/** Is the daemon's process there? Asked of procd, and only while the daemon itself does not answer. */
import { CallFailure, ubus } from "../luci/call.ts";

export type ServiceState =
  /** procd does not run it: stopped by hand, or `enabled` is off. */
  | { readonly kind: "off" }
  /** It is running and will answer soon. */
  | { readonly kind: "starting" }
  /** It ended too often in a short time; procd has given up. */
  | { readonly kind: "stood_down"; readonly exitCode: number | null }
  /** procd could not be asked. */
  | { readonly kind: "unknown"; readonly message: string };

interface Instance {
  readonly running?: boolean;
  readonly exit_code?: number;
}

export async function serviceState(): Promise<ServiceState> {
  try {
    const answer = (await ubus("service", "list", { name: "kcp-router" })) as Record<
      string,
      { readonly instances?: Record<string, Instance> } | undefined
    >;
    const instances = Object.values(answer["kcp-router"]?.instances ?? {});
    if (instances.some(({ running }) => running === true)) return { kind: "starting" };
    const ended = instances.find(({ running }) => running === false);
    return ended === undefined ? { kind: "off" } : { kind: "stood_down", exitCode: ended.exit_code ?? null };
  } catch (failure) {
    return { kind: "unknown", message: failure instanceof CallFailure ? failure.message : "" };
  }
}

/** What the service's buttons do; needs the right to write. Resolves when procd has taken the order. */
export async function orderService(action: "start" | "stop" | "restart"): Promise<void> {
  await ubus("rc", "init", { name: "kcp-router", action });
}
