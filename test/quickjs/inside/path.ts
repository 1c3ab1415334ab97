/** `node:path`, as far as tests use it. */
export function join(...parts: readonly string[]): string {
  const absolute = parts[0]?.startsWith("/") === true;
  const kept: string[] = [];
  for (const part of parts.join("/").split("/")) {
    if (part === "..") kept.pop();
    else if (part !== "" && part !== ".") kept.push(part);
  }
  return `${absolute ? "/" : ""}${kept.join("/")}`;
}

export function dirname(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 1));
}
