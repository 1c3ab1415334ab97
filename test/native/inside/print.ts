import { native } from "kcp-router:native";

/** One line of JSON to standard output. */
export function print(value: unknown): void {
  native.write(1, native.encodeUtf8(`${JSON.stringify(value)}\n`));
}
