import type { Answer } from "../../../router-daemon/src/api/error.ts";
import { invoke } from "../../../router-daemon/src/api/invoke.ts";
import type { DaemonView } from "../../../router-daemon/src/api/view.ts";
import type { CliIo, Unreachable } from "../../../router-daemon/src/cli/io.ts";
import { main } from "../../../router-daemon/src/cli/main.ts";
import type { ProcessSignals, RunDaemon } from "../../../router-daemon/src/cli/run.ts";
import { START_TIME } from "../api/fake-view.ts";
import { filesOf } from "../config/sources.ts";

/** Nobody listens on this socket. */
export const DEAD_SOCKET = "/run/dead.sock";

/** A terminal that remembers, wired to a daemon in the same process. */
export class FakeTerminal {
  stdout = "";
  stderr = "";
  files: Readonly<Record<string, string>> = {};
  /** What was written, by path. */
  readonly written: Record<string, string> = {};
  runDaemon: RunDaemon = async () => ({ ok: true });
  /** Sockets and methods that were asked, in order. */
  readonly asked: string[] = [];
  stopCallbacks: (() => void)[] = [];
  reloadCallbacks: (() => void)[] = [];
  readonly #view: DaemonView;

  constructor(view: DaemonView) {
    this.#view = view;
  }

  /** Runs a command line; the streams hold what it printed. */
  async run(...args: string[]): Promise<number> {
    this.stdout = "";
    this.stderr = "";
    const signals: ProcessSignals = {
      onStop: (callback) => this.stopCallbacks.push(callback),
      onReload: (callback) => this.reloadCallbacks.push(callback),
    };
    const nowUnixSeconds = () => START_TIME + 3 * 3600 + 125;
    return main(args, { io: this.#io(), signals, runDaemon: this.runDaemon, nowUnixSeconds });
  }

  #io(): CliIo {
    return {
      out: (text) => {
        this.stdout += text;
      },
      err: (text) => {
        this.stderr += text;
      },
      note: (text) => {
        this.stdout += text;
      },
      request: async (socket, method, args): Promise<Answer<unknown> | Unreachable> => {
        this.asked.push(`${socket} ${method}`);
        if (socket === DEAD_SOCKET) return { ok: false, unreachable: "kcp-router is not running. Start it." };
        // Through JSON, as over a real socket.
        return JSON.parse(JSON.stringify(await invoke(this.#view, method, args))) as Answer<unknown>;
      },
      files: filesOf(this.files),
      replaceFile: (path, text) => {
        if (path.startsWith("/read-only/")) return "permission denied. Run as the file's owner or as root.";
        this.written[path] = text;
        return undefined;
      },
      systemHostname: "box",
      engine: "node 20.20.2",
    };
  }
}
