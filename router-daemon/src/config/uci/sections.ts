import { type Kind, labelKind, switchKind } from "../kind.ts";

/** Where OpenWrt keeps the configuration. */
export const DEFAULT_UCI_FILE = "/etc/config/kcp-router";
/** The file's name for uci and LuCI. */
export const UCI_PACKAGE = "kcp-router";

export type UciSectionType =
  | "network"
  | "proxy"
  | "listener"
  | "peer"
  | "subnet"
  | "rule"
  | "limits"
  | "daemon";

export interface UciSectionInfo {
  readonly type: UciSectionType;
  /** `one`: there is one, named like its type. `many`: one per item. */
  readonly count: "one" | "many";
  /** What it holds, for people. */
  readonly help: string;
}

/** The sections of the file, in the order in which they are written. */
export const UCI_SECTIONS: readonly UciSectionInfo[] = [
  { type: "network", count: "one", help: "The virtual network, and this node in it." },
  { type: "proxy", count: "one", help: "Which TCP connections are carried, over KCP or QUIC." },
  {
    type: "listener",
    count: "many",
    help: "An address on which other nodes may reach this one. Without any, this node only dials.",
  },
  { type: "peer", count: "many", help: "A node to connect to, again and again until it works." },
  {
    type: "subnet",
    count: "many",
    help: "A network behind this router that the other nodes may reach through it.",
  },
  {
    type: "rule",
    count: "many",
    help: "Connections that never, or always, are carried. From top to bottom, the first that matches decides.",
  },
  { type: "limits", count: "one", help: "What the daemon may use of the router." },
  { type: "daemon", count: "one", help: "The daemon's log and its API." },
];

interface ItemOption {
  readonly kind: Kind<unknown>;
  /** As uci text. */
  readonly default?: string;
  readonly help: string;
}

/** Options of every section of which there are many. They stand in uci only: what is switched off is not part of a Config. */
export const ITEM_OPTIONS: Readonly<Record<"enabled" | "name", ItemOption>> = {
  enabled: {
    kind: switchKind as Kind<unknown>,
    default: "1",
    help: "Off: as if the section were not there.",
  },
  name: { kind: labelKind as Kind<unknown>, help: "What you call it. Nothing depends on it." },
};
