/** A source that goes into a bundle and still finds the files beside itself. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import type { OnLoadResult } from "esbuild";

/** For esbuild's `onLoad`: the TypeScript file `path`, in which `import.meta` names where the source is, not where the bundle is. */
export function inOwnPlace(path: string): OnLoadResult {
  const place = { url: pathToFileURL(path).href, dirname: dirname(path), filename: path };
  const contents = readFileSync(path, "utf8").replace(
    /\bimport\.meta\.(url|dirname|filename)\b/g,
    (_, name: keyof typeof place) => JSON.stringify(place[name]),
  );
  return { loader: "ts", contents };
}
