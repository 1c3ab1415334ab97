/** Reads the TAP that AVA prints, line by line, and keeps what a summary needs. */

export interface TestCount {
  passed: number;
  failed: number;
  skipped: number;
}

export interface FileTime {
  readonly file: string;
  /** From the first to the last of its results, as they came in. */
  readonly seconds: number;
  readonly tests: number;
}

/** A result line: `ok 3 - file › title # SKIP`, `not ok 4 - …`. */
const RESULT = /^(not )?ok \d+ - (.*?)(?: # (SKIP|TODO).*)?$/;

export class TapReader {
  readonly count: TestCount = { passed: 0, failed: 0, skipped: 0 };
  /** Titles of what was skipped: nothing is skipped in silence. */
  readonly skippedTitles: string[] = [];
  readonly #files = new Map<string, { first: number; last: number; tests: number }>();
  readonly #singleFile: string;
  #partial = "";
  #failing = false;
  /** When the previous result came in: the next test of a file that runs alone began then. */
  #previous: number;

  /** `singleFile` names the file when only one runs: AVA leaves it out of the titles then. */
  constructor(startMs: number, singleFile: string) {
    this.#previous = startMs;
    this.#singleFile = singleFile;
  }

  /** Takes the next bytes of the stream; returns what is worth showing at once: failures with their details. */
  read(chunk: string, nowMs: number): string {
    const lines = (this.#partial + chunk).split("\n");
    this.#partial = lines.pop() ?? "";
    return lines.map((line) => this.#readLine(line, nowMs)).join("");
  }

  /** Times by file, slowest first. */
  get files(): readonly FileTime[] {
    return [...this.#files]
      .map(([file, { first, last, tests }]) => ({ file, seconds: (last - first) / 1000, tests }))
      .sort((a, b) => b.seconds - a.seconds);
  }

  #readLine(line: string, nowMs: number): string {
    const match = RESULT.exec(line);
    if (match === null) {
      // Details of a failure are indented below it; comments are log lines of tests and AVA's own totals.
      if (this.#failing && /^\s/.test(line)) return `${line}\n`;
      return /^# (?!tests |pass |fail |skip |todo )/.test(line) && this.#failing ? `${line}\n` : "";
    }
    const [, not, title = "", directive] = match;
    this.#note(title, nowMs);
    this.#failing = false;
    if (directive !== undefined) {
      this.count.skipped++;
      this.skippedTitles.push(title);
    } else if (not === undefined) {
      this.count.passed++;
    } else {
      this.count.failed++;
      this.#failing = true;
      return `${line}\n`;
    }
    return "";
  }

  #note(title: string, nowMs: number): void {
    // A title is the file's path without what all have in common, then the test's own.
    const path = title.split(" › ").slice(0, -1);
    const file = this.#singleFile !== "" ? this.#singleFile : path.length > 0 ? path.join("/") : title;
    const known = this.#files.get(file);
    if (known === undefined) this.#files.set(file, { first: this.#previous, last: nowMs, tests: 1 });
    else {
      known.last = nowMs;
      known.tests++;
    }
    this.#previous = nowMs;
  }
}

/** The closing line that a machine reads. */
export function closingLine(count: TestCount): string {
  return `ava: ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`;
}
