import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import type { FileAccess } from "../config/load.ts";
import { callApi, type HttpCall } from "./api-call.ts";
import { fileSentence, tooLargeSentence } from "./file-sentence.ts";
import type { CliIo } from "./io.ts";
import { replaceFile } from "./node-replace.ts";
import type { ProcessSignals } from "./run.ts";

/** The CLI's world on Node. */
export function nodeIo(http: HttpCall): CliIo {
  return {
    // A reader that goes away ends the program quietly.
    out: (text) => {
      if (!writeAll(1, text)) process.exit(0);
    },
    err: (text) => void writeAll(2, text),
    note: (text) => void writeAll(1, text),
    request: (socket, method, args) => callApi(http, socket, method, args),
    files: nodeFiles,
    replaceFile,
    systemHostname: hostname(),
    engine: `node ${process.versions.node}`,
  };
}

/** Whole text, synchronously: nothing is lost when the process ends right after. False = nobody reads any more. */
function writeAll(fd: number, text: string): boolean {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EAGAIN") continue;
      return code !== "EPIPE";
    }
  }
  return true;
}

export const nodeFiles: FileAccess = {
  read(path, maxBytes) {
    let fd: number | undefined;
    try {
      fd = openSync(path, "r");
      const stat = fstatSync(fd);
      if (stat.isDirectory()) return { ok: false, reason: fileSentence("EISDIR") };
      // One byte more than allowed tells "too large" without reading it all.
      const buffer = Buffer.alloc(maxBytes + 1);
      let length = 0;
      for (let got = 1; got > 0 && length < buffer.length; length += got) {
        got = readSync(fd, buffer, length, buffer.length - length, null);
      }
      if (length > maxBytes) return { ok: false, reason: tooLargeSentence(maxBytes) };
      return { ok: true, text: buffer.toString("utf8", 0, length), mode: stat.mode };
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "";
      return { ok: false, reason: fileSentence(code), missing: code === "ENOENT" || code === "ENOTDIR" };
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  },
};

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
