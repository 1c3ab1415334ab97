/** Takes AVA's place: registers tests, runs them one after the other, and prints one line of JSON for each. */
import { native } from "kcp-router:native";
import { Assertions } from "./assertions.ts";

type Body = (t: Assertions) => unknown;

/** What the program prints for each test. */
interface ResultLine {
  readonly title: string;
  /** Missing when the test passed. */
  readonly error?: string;
  readonly skipped?: true;
}

const tests: { readonly title: string; readonly body: Body | undefined }[] = [];

function register(title: string, body: Body): void {
  // The first test is registered while the file loads: when that is done, all are known.
  if (tests.length === 0) native.startTimer(() => void runAll(), 0);
  tests.push({ title, body });
}

async function runAll(): Promise<void> {
  for (const { title, body } of tests) {
    if (body === undefined) print({ title, skipped: true });
    else print(await runOne(title, body));
  }
  native.exit(0);
}

async function runOne(title: string, body: Body): Promise<ResultLine> {
  const t = new Assertions(title);
  let error: unknown;
  try {
    await body(t);
  } catch (thrown) {
    error = thrown;
  }
  try {
    await t.runTeardowns();
  } catch (thrown) {
    error ??= thrown;
  }
  error ??= t.failure;
  if (error === undefined) return { title };
  return { title, error: describe(error) };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\nCaused by: ${describe(error.cause)}`;
  return `${error.message}\n${error.stack}${cause}`;
}

function print(result: ResultLine): void {
  native.write(1, native.encodeUtf8(`${JSON.stringify(result)}\n`));
}

const test = Object.assign(register, {
  serial: register,
  skip: (title: string) => void tests.push({ title, body: undefined }),
});

// biome-ignore lint/style/noDefaultExport: AVA has one
export default test;
