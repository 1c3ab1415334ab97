/** The uci file format: every rule of quoting, refusals with their place, and texts that come back as they were. */
import assert from "node:assert/strict";
import test from "ava";
import fc from "fast-check";
import { isUciText, UCI_LIMITS, type UciDocument } from "../../../router-daemon/src/config/uci/document.ts";
import { parseUci } from "../../../router-daemon/src/config/uci/parser.ts";
import type { UciFault } from "../../../router-daemon/src/config/uci/words.ts";
import { writeUci } from "../../../router-daemon/src/config/uci/writer.ts";

/** The sections of a text, without places. */
function sections(
  text: string,
): { type: string; name: string; options: [string, string | readonly string[]][] }[] {
  const parsed = parseUci(text);
  if (!parsed.ok) throw new Error(`line ${parsed.fault.line}, ${parsed.fault.column}: ${parsed.fault.text}`);
  return plain(parsed.document);
}

function plain(document: UciDocument) {
  return document.sections.map(({ type, name, options }) => ({
    type,
    name,
    options: options.map((option): [string, string | readonly string[]] => [option.name, option.value]),
  }));
}

/** The value that a piece of text behind `option v ` means. */
function value(piece: string): string | readonly string[] | undefined {
  return sections(`config t\n\toption v ${piece}\n`)[0]?.options[0]?.[1];
}

function fault(text: string): UciFault | undefined {
  const parsed = parseUci(text);
  return parsed.ok ? undefined : parsed.fault;
}

// ── what is read ────────────────────────────────────────────────────────────────────────────────────────────────────

test("sections are named or anonymous, options are texts or lists, commands may be one letter", (t) => {
  const text = `package kcp-router

# a comment
config network 'network'
\toption name 'lab'
  list dns 1.1.1.1
\tlist dns "8.8.8.8"   # another one

c peer
o uri udp://a:1
l tag x
`;
  t.deepEqual(sections(text), [
    {
      type: "network",
      name: "network",
      options: [
        ["name", "lab"],
        ["dns", ["1.1.1.1", "8.8.8.8"]],
      ],
    },
    {
      type: "peer",
      name: "",
      options: [
        ["uri", "udp://a:1"],
        ["tag", ["x"]],
      ],
    },
  ]);
});

const VALUES: readonly [piece: string, means: string | undefined, why: string][] = [
  ["bare", "bare", "a bare word"],
  ["'single'", "single", "single quotes"],
  ['"double"', "double", "double quotes"],
  [`a"b c"'d e'f`, "ab cd ef", "pieces join"],
  [`'it'\\''s'`, "it's", "a quote as uci writes it"],
  [`'a\\b'`, "a\\b", "a backslash is nothing special in single quotes"],
  [`'say "hi" # ; $x'`, 'say "hi" # ; $x', "nothing is special in single quotes"],
  [`"it's # ; x"`, "it's # ; x", "in double quotes neither quote, comment nor semicolon are"],
  [`"a\\"b\\\\c\\n"`, 'a"b\\cn', "in double quotes a backslash takes the next character"],
  ["a\\ b\\'c\\#d\\;", "a b'c#d;", "in a bare word, too"],
  ["'one\ntwo'", "one\ntwo", "line feeds in single quotes are kept"],
  ['"one\ntwo"', "one\ntwo", "and in double quotes"],
  ["one\\\ntwo", "onetwo", "a backslash at a line's end joins"],
  ['"one\\\ntwo"', "onetwo", "in double quotes, too"],
  ["one\\\r\ntwo", "onetwo", "also with CR"],
  ["bare#comment", "bare", "a comment ends a bare word"],
  ["'q'#comment", "q", "and a quoted one"],
  ["caf\u00e9", "caf\u00e9", "UTF-8"],
  ["'tab\tcr\r'", "tab\tcr\r", "tab and CR are text"],
  ["x\r", "x", "a file with CR LF"],
  ["x ; ", "x", "a semicolon ends the command"],
  ["x;", "x", "also right behind a bare word when nothing follows"],
  ["''", undefined, "an empty option is none"],
  ["", undefined, "an option without value is none"],
];
for (const [piece, means, why] of VALUES) {
  test(`${JSON.stringify(piece)}: ${why}`, (t) => {
    t.is(value(piece) as string | undefined, means);
  });
}

test("a semicolon puts several commands on a line", (t) => {
  t.deepEqual(sections("config 'a' ; option x 'y';list z w ; list z 'v'"), [
    {
      type: "a",
      name: "",
      options: [
        ["x", "y"],
        ["z", ["w", "v"]],
      ],
    },
  ]);
});

test("what comes twice: options replace, lists grow, named sections go on, an empty option says nothing", (t) => {
  const text = `config a n
option x 1
option x 2
option y 1
list y 2
list z 1
option z 2
option v 1
option v ''
config b
config a n
option w 1
`;
  t.deepEqual(sections(text), [
    {
      type: "a",
      name: "n",
      options: [
        ["x", "2"],
        ["y", ["1", "2"]],
        ["z", "2"],
        ["v", "1"],
        ["w", "1"],
      ],
    },
    { type: "b", name: "", options: [] },
  ]);
});

test("each value knows its line", (t) => {
  const parsed = parseUci("\n\nconfig a\noption x 'one\ntwo'\nlist y 1\n\nlist y \\\n2\n");
  t.true(parsed.ok);
  if (!parsed.ok) return;
  const [section] = parsed.document.sections;
  t.is(section?.line, 3);
  t.deepEqual(
    section?.options.map(({ lines }) => lines),
    [[4], [6, 8]],
  );
});

// ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────────────

const FAULTS: readonly [text: string, line: number, column: number, sentence: RegExp][] = [
  ["option x 1", 1, 1, /before the first section/],
  ["config a\n\n  optoin x 1", 3, 3, /begins with config, option or list/],
  ["'config' a", 1, 1, /begins with config/],
  ["\ufeffconfig a", 1, 1, /begins with config/],
  ["config", 1, 1, /section's type/],
  ["config 'a b'", 1, 8, /section's type/],
  ["config a b-c", 1, 10, /name of a section has 1 to 64 letters/],
  ["config a b c", 1, 12, /Nothing may follow/],
  ["config a n\nconfig b n", 2, 8, /another type \(line 1\)/],
  ["config a\noption", 2, 1, /After option stands a name/],
  ["config a\nlist x.y 1", 2, 6, /After list stands a name/],
  ["config a\noption x 1 2", 2, 12, /Nothing may follow/],
  ["config a\noption x 'abc\ndef\n", 2, 10, /single quote is opened here/],
  ['config a\noption x "abc\\"', 2, 10, /double quote is opened here/],
  ["config a\noption x \u0001", 2, 10, /control characters/],
  ["config a\noption x 'a\u0000'", 2, 10, /control characters/],
  ["config a\noption x 'a\ufffd'", 2, 10, /not in UTF-8/],
  ["config a\noption x b;option y c", 2, 11, /would be ignored/],
  ["package", 1, 1, /name of a file/],
  ["package a.b", 1, 9, /name of a file/],
];
for (const [text, line, column, sentence] of FAULTS) {
  test(`${JSON.stringify(text)} is refused at its place`, (t) => {
    const found = fault(text);
    t.like(found, { line, column });
    t.regex(found?.text ?? "", sentence);
    t.regex(found?.text ?? "", /\.$/);
  });
}

test("every bound is kept", (t) => {
  const many = (count: number, line: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => line(index)).join("\n");
  const bounds: [limit: number, text: (count: number) => string][] = [
    [UCI_LIMITS.sections, (count) => many(count, () => "config a")],
    [UCI_LIMITS.optionsPerSection, (count) => `config a\n${many(count, (index) => `option o${index} 1`)}`],
    [UCI_LIMITS.itemsPerList, (count) => `config a\n${many(count, () => "list l 1")}`],
    [UCI_LIMITS.value, (count) => `config a\noption v ${"x".repeat(count)}`],
    [UCI_LIMITS.name, (count) => `config a\noption ${"n".repeat(count)} x`],
    [UCI_LIMITS.name, (count) => `config ${"n".repeat(count)}`],
    [UCI_LIMITS.text, (count) => `#${" ".repeat(count - 1)}`],
  ];
  for (const [limit, text] of bounds) {
    t.is(fault(text(limit)), undefined, text(3));
    t.truthy(fault(text(limit + 1)), text(3));
  }
});

test("nothing of the text is in a refusal", (t) => {
  const secret = "hunter2";
  const texts = [
    `config a\noption secret ${secret} x`,
    `config a\noption ${secret}! 1`,
    `${secret}`,
    `config a\noption x '${secret}`,
  ];
  for (const text of texts) t.false((fault(text)?.text ?? secret).includes(secret), text);
});

// ── properties ──────────────────────────────────────────────────────────────────────────────────────────────────────

const NAME = fc.stringMatching(/^[A-Za-z0-9_]{1,12}$/);
const TYPE = fc.stringMatching(/^[!-~]{1,12}$/);
/** Text of what quoting is about, and of anything else. */
const TEXT = fc
  .oneof(
    fc
      .array(fc.constantFrom("'", '"', "\\", "#", ";", " ", "\t", "\n", "\r", "a", "\u00e9", "\u{1f600}"), {
        maxLength: 12,
      })
      .map((parts) => parts.join("")),
    fc.string({ unit: "binary", maxLength: 20 }),
  )
  .filter(isUciText);
const OPTION_VALUE = fc.oneof(
  TEXT.filter((text) => text !== ""),
  fc.array(TEXT, { minLength: 1, maxLength: 4 }),
);
const DOCUMENT: fc.Arbitrary<UciDocument> = fc
  .uniqueArray(
    fc.record({
      type: TYPE,
      name: fc.oneof(NAME, fc.constant("")),
      options: fc
        .uniqueArray(fc.record({ name: NAME, value: OPTION_VALUE }), {
          selector: ({ name }) => name,
          maxLength: 5,
        })
        .map((options) => options.map((option) => ({ ...option, lines: [] }))),
      line: fc.constant(0),
    }),
    { comparator: (a, b) => a.name !== "" && a.name === b.name, maxLength: 6 },
  )
  .map((list) => ({ sections: list }));

test("what is written is read as it was", (t) => {
  fc.assert(
    fc.property(DOCUMENT, (document) => {
      assert.deepEqual(sections(writeUci(document)), plain(document));
    }),
    { numRuns: 500 },
  );
  t.pass();
});

test("what was read from a written text is written as the same text", (t) => {
  fc.assert(
    fc.property(DOCUMENT, (document) => {
      const text = writeUci(document);
      const parsed = parseUci(text);
      assert.equal(parsed.ok ? writeUci(parsed.document) : "", text);
    }),
  );
  t.pass();
});

test("however a value is quoted, it is read as it is", (t) => {
  const piece = fc.oneof(
    fc
      .string({ unit: fc.constantFrom("a", " ", '"', "\\", "#", ";", "\n"), maxLength: 5 })
      .map((text) => [`'${text}'`, text]),
    fc
      .string({ unit: fc.constantFrom("a", " ", "'", '"', "\\", "#", "\n"), maxLength: 5 })
      .map((text) => [`"${text.replace(/["\\]/g, "\\$&")}"`, text]),
    fc
      .string({ unit: fc.constantFrom("a", " ", "'", '"', "\\", "#", ";"), minLength: 1, maxLength: 5 })
      .map((text) => [text.replace(/[^a]/g, "\\$&"), text]),
  );
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 4 }), (pieces) => {
      const written = pieces.map(([text]) => text).join("");
      const means = pieces.map(([, text]) => text).join("");
      assert.equal(value(written) as string | undefined, means === "" ? undefined : means);
    }),
    { numRuns: 500 },
  );
  t.pass();
});

test("hostile texts are read or refused, never more", (t) => {
  const words = fc.constantFrom(
    "config",
    "option",
    "list",
    "package",
    "a",
    "'",
    '"',
    "\\",
    "#",
    ";",
    " ",
    "\n",
    "\r\n",
    "\u0000",
    "\ud800",
    "__proto__",
    "constructor",
  );
  const hostile = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(words, { maxLength: 60 }).map((parts) => parts.join("")),
    fc.array(words, { maxLength: 60 }).map((parts) => parts.join(" ")),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => new TextDecoder().decode(bytes)),
  );
  fc.assert(
    fc.property(hostile, (text) => {
      const parsed = parseUci(text);
      if (parsed.ok) assert.deepEqual(sections(writeUci(parsed.document)), plain(parsed.document));
      else assert.ok(parsed.fault.line >= 1 && parsed.fault.column >= 1);
    }),
    { numRuns: 2000 },
  );
  t.pass();
});
