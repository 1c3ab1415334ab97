import test from "ava";
import { compare, LANGUAGES } from "../../../tools/po.ts";

for (const language of LANGUAGES) {
  test(`${language} translates everything that the page says, and nothing else`, (t) => {
    t.deepEqual(compare(language), { missing: [], stale: [] });
  });
}
