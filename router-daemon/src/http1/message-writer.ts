import type { Header, HttpRequest, HttpResponse } from "./message.ts";

/** Reason phrases of the statuses that occur here (RFC 9110 15). */
const PHRASES: Readonly<Record<number, string>> = {
  100: "Continue",
  200: "OK",
  204: "No Content",
  304: "Not Modified",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  417: "Expectation Failed",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

/** These are ours to say. */
const FRAMING_HEADERS: readonly string[] = ["content-length", "transfer-encoding", "connection"];

export const CONTINUE: Uint8Array = bytesOf("HTTP/1.1 100 Continue\r\n\r\n");

/**
 * The bytes of a response. `withBody` is false for HEAD: the headers are as if there were one. Line breaks in headers, which could
 * forge others, are left out.
 */
export function writeResponse(response: HttpResponse, keepAlive: boolean, withBody: boolean): Uint8Array {
  const { status, headers, body } = response;
  const bodiless = status === 204 || status === 304;
  const own: Header[] = bodiless ? [] : [["content-length", String(body.length)]];
  if (!keepAlive) own.push(["connection", "close"]);
  const head = writeHead(`HTTP/1.1 ${status} ${PHRASES[status] ?? ""}`, headers, own);
  return withBody && !bodiless ? joined(head, body) : head;
}

/** The bytes of a request to the server behind a socket; the connection ends with the answer. */
export function writeRequest(request: HttpRequest): Uint8Array {
  const { method, target, headers, body } = request;
  const own: Header[] = [
    ["host", "localhost"],
    ["content-length", String(body.length)],
    ["connection", "close"],
  ];
  return joined(writeHead(`${method} ${target} HTTP/1.1`, headers, own), body);
}

function writeHead(start: string, headers: readonly Header[], own: readonly Header[]): Uint8Array {
  const given = headers.filter(([name]) => !FRAMING_HEADERS.includes(name.toLowerCase()));
  const lines = [...given, ...own].map(([name, value]) => `${name}: ${value}`.replace(/[\r\n]/g, " "));
  return bytesOf([start, ...lines, "", ""].join("\r\n"));
}

/** One byte for each character: headers are Latin-1. */
function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

function joined(head: Uint8Array, body: Uint8Array): Uint8Array {
  const all = new Uint8Array(head.length + body.length);
  all.set(head);
  all.set(body, head.length);
  return all;
}
