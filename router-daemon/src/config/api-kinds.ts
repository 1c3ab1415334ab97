/** The API over TCP: its options are empty as long as it is not wanted. */
import { parseIpv4 } from "./ipv4.ts";
import { type Kind, notAllowed, socketPathKind } from "./kind.ts";

export interface LoopbackEndpoint {
  readonly ipv4: string;
  readonly port: number;
}

/** `127.0.0.1:15888`; undefined = it is no address of this machine's own loopback with a port. */
export function parseLoopback(text: string): LoopbackEndpoint | undefined {
  const [, ipv4 = "", digits = ""] = /^(127(?:\.\d{1,3}){3}):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (parseIpv4(ipv4) === undefined || port < 1 || port > 0xffff) return undefined;
  return { ipv4, port };
}

const LOOPBACK_ALLOWED = "a loopback address with a port like 127.0.0.1:15888, or nothing";

export const loopbackKind: Kind<string> = {
  placeholder: "ADDRESS:PORT",
  allowed: LOOPBACK_ALLOWED,
  shape: { type: "text", datatype: "name" },
  parse(value) {
    const fits = typeof value === "string" && (value === "" || parseLoopback(value) !== undefined);
    const remedy = "The API never leaves this machine; use an SSH tunnel from another.";
    return fits ? { ok: true, value } : notAllowed(value, LOOPBACK_ALLOWED, remedy);
  },
  write: (value) => value,
};

export const optionalPathKind: Kind<string> = {
  ...socketPathKind,
  allowed: `${socketPathKind.allowed}, or nothing`,
  parse(value, form) {
    if (value === "") return { ok: true, value };
    const parsed = socketPathKind.parse(value, form);
    return parsed.ok ? parsed : notAllowed(value, this.allowed);
  },
};
