import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { request } from "node:http";
import { hostname } from "node:os";
import type { Answer, ApiError } from "../api/error.ts";
import { API_PREFIX, MAX_ANSWER_LENGTH } from "../api/http.ts";
import type { FileAccess } from "../config/load.ts";
import type { CliIo, Unreachable } from "./io.ts";
import type { ProcessSignals } from "./run.ts";

/** How long the daemon may take for an answer. */
const ANSWER_TIMEOUT_MS = 15_000;

/** The CLI's world on Node. */
export function nodeIo(): CliIo {
  return {
    out: (text) => writeAll(1, text),
    err: (text) => writeAll(2, text),
    request: callOverSocket,
    files: nodeFiles,
    systemHostname: hostname(),
    engine: `node ${process.versions.node}`,
  };
}

/** Whole text, synchronously: nothing is lost when the process ends right after. A closed pipe ends the program quietly. */
function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EAGAIN") continue;
      if (code === "EPIPE" && fd === 1) process.exit(0);
      return;
    }
  }
}

export const nodeFiles: FileAccess = {
  read(path, maxBytes) {
    let fd: number | undefined;
    try {
      fd = openSync(path, "r");
      const stat = fstatSync(fd);
      if (stat.isDirectory()) return { ok: false, reason: "it is a directory. Name a file." };
      // One byte more than allowed tells "too large" without reading it all.
      const buffer = Buffer.alloc(maxBytes + 1);
      let length = 0;
      for (let got = 1; got > 0 && length < buffer.length; length += got) {
        got = readSync(fd, buffer, length, buffer.length - length, null);
      }
      if (length > maxBytes)
        return { ok: false, reason: `it is larger than ${maxBytes} bytes. Name the right file.` };
      return { ok: true, text: buffer.toString("utf8", 0, length), mode: stat.mode };
    } catch (error) {
      return { ok: false, reason: fileSentence((error as NodeJS.ErrnoException).code ?? "") };
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  },
};

function fileSentence(code: string): string {
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "there is no such file. Name an existing one.";
    case "EACCES":
    case "EPERM":
      return "permission denied. Run as the file's owner or as root.";
    default:
      return `the system says ${code === "" ? "nothing more" : code}. Name another file.`;
  }
}

function callOverSocket(
  socketPath: string,
  method: string,
  args: object,
): Promise<Answer<unknown> | Unreachable> {
  return new Promise((resolve) => {
    const body = JSON.stringify(args);
    const call = request(
      {
        socketPath,
        method: "POST",
        path: `${API_PREFIX}/${method}`,
        headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
        timeout: ANSWER_TIMEOUT_MS,
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on("data", (chunk: Buffer) => {
          length += chunk.length;
          // A character takes at most four bytes.
          if (length > 4 * MAX_ANSWER_LENGTH) call.destroy(new Error("answer too large"));
          else chunks.push(chunk);
        });
        response.on("end", () =>
          resolve(readAnswer(socketPath, response.statusCode ?? 0, Buffer.concat(chunks).toString("utf8"))),
        );
        response.on("error", () => resolve(broken(socketPath)));
      },
    );
    call.on("timeout", () => call.destroy(Object.assign(new Error("timeout"), { code: "ETIMEDOUT" })));
    call.on("error", (error: NodeJS.ErrnoException) => resolve(unreachable(socketPath, error.code ?? "")));
    call.end(body);
  });
}

function readAnswer(socketPath: string, status: number, text: string): Answer<unknown> | Unreachable {
  try {
    const value = JSON.parse(text) as { readonly error?: ApiError } | null;
    if (status === 200) return { ok: true, result: value };
    if (value?.error !== undefined) return { ok: false, error: value.error };
  } catch {
    // Not JSON: not our daemon.
  }
  return broken(socketPath);
}

function broken(socketPath: string): Unreachable {
  return {
    ok: false,
    unreachable: `What answers on ${socketPath} is no kcp-router. Name its socket with --socket PATH.`,
  };
}

function unreachable(socketPath: string, code: string): Unreachable {
  switch (code) {
    case "ENOENT":
    case "ECONNREFUSED":
      return {
        ok: false,
        unreachable: `kcp-router is not running (nobody answers on ${socketPath}). Start it with "kcp-router run -c FILE", or name its socket with --socket PATH.`,
      };
    case "EACCES":
    case "EPERM":
      return {
        ok: false,
        unreachable: `The socket ${socketPath} may only be used by its owner. Run the command as root.`,
      };
    case "ETIMEDOUT":
      return {
        ok: false,
        unreachable: `kcp-router does not answer on ${socketPath}. Look at its log; restart it if it hangs.`,
      };
    default:
      return {
        ok: false,
        unreachable: `The connection to ${socketPath} failed (${code === "" ? "cut off" : code}). Try again.`,
      };
  }
}

/** SIGTERM and SIGINT stop, a second one stops at once; SIGHUP reloads. Taken from the moment somebody asks for them. */
export function nodeSignals(): ProcessSignals {
  return {
    onStop(callback) {
      let asked = false;
      const stop = () => {
        if (asked) process.exit(1);
        asked = true;
        callback();
      };
      process.on("SIGTERM", stop);
      process.on("SIGINT", stop);
    },
    onReload(callback) {
      process.on("SIGHUP", callback);
    },
  };
}
