/** `node:os`, as far as tests use it. */
import { native } from "kcp-router:native";

export function tmpdir(): string {
  return native.environment("TMPDIR") ?? "/tmp";
}
