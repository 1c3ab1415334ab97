/** One page: what is polled while it is seen, and what ends with it. */
import { type ComponentChild, render } from "preact";
import type { Overview } from "../../router-daemon/src/api/reports.ts";
import { CallFailure } from "./luci/call.ts";
import { Poller } from "./luci/poller.ts";
import { followTheme } from "./luci/theme.ts";
import { DaemonState, type Question } from "./models/daemon-state.ts";
import { STYLE } from "./style.ts";

export interface PageProps {
  readonly state: DaemonState;
  /** This login may change things. */
  readonly writable: boolean;
  /** Asks now, not at the next tick. */
  readonly refresh: () => void;
}

/** What a page adds: its own part of the tick's question, and its view. */
export interface PageParts {
  /** The first tick's answer, where it was asked for ahead. */
  readonly asked?: Promise<unknown> | undefined;
  ask?(): Question;
  take?(answer: Overview): void;
  view(props: PageProps): ComponentChild;
}

/** LuCI's class for what fills its frame, beside our own. */
const PAGE_CLASS = "kcp cbi-map";

/** Without LuCI's footer of Save and Apply. */
export const LOOK_ONLY = { handleSave: null, handleSaveApply: null, handleReset: null };

/** A view of LuCI's that polls and only shows. */
export function pollingView(makeParts: () => PageParts): LuciClass {
  return view.extend({ ...LOOK_ONLY, render: () => mountPage(makeParts()) });
}

/** A page that polls. Everything ends when LuCI takes its root out again. */
export function mountPage(parts: PageParts): HTMLElement {
  const { root, content, end } = makeRoot(PAGE_CLASS);
  const state = new DaemonState();
  let { asked } = parts;
  let seen = false;
  const poller = new Poller(async () => {
    // LuCI has gone to another page without loading one.
    if (seen && !root.isConnected) {
      poller.stop();
      end();
      return;
    }
    seen ||= root.isConnected;
    const ahead = asked;
    asked = undefined;
    await state.refresh(parts.ask?.() ?? {}, (answer) => parts.take?.(answer), ahead);
  });
  const Page = () =>
    parts.view({ state, writable: L.hasViewPermission() === true, refresh: () => void poller.now() });
  render(<Frame page={Page} />, content);
  poller.start();
  void poller.now();
  return root;
}

/** A page with LuCI's footer, which asks nothing by itself. */
export function mountForm(view: (writable: boolean) => ComponentChild): HTMLElement {
  const { root, content } = makeRoot(PAGE_CLASS);
  const Page = () => view(L.hasViewPermission() === true);
  render(<Frame page={Page} />, content);
  return root;
}

function Frame({ page: Page }: { readonly page: () => ComponentChild }) {
  return (
    <>
      <h2>{_("KCP Router")}</h2>
      <Page />
    </>
  );
}

/** What LuCI puts into its frame: a place that Preact fills. */
export function makeRoot(className: string) {
  bringStyle();
  const root = document.createElement("div");
  root.className = className;
  const content = document.createElement("div");
  root.append(content);
  const endTheme = followTheme(root);
  return {
    root,
    content,
    endTheme,
    end() {
      endTheme();
      render(null, content);
    },
  };
}

let styled = false;

/** Once per document. A sheet that a script makes needs no leave of a content security policy, as a `<style>` element does. */
function bringStyle(): void {
  if (styled) return;
  styled = true;
  const sheets = document.adoptedStyleSheets as CSSStyleSheet[] | undefined;
  if (sheets === undefined) {
    // Safari before 16.4.
    const element = document.createElement("style");
    element.textContent = STYLE;
    document.head.append(element);
    return;
  }
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  document.adoptedStyleSheets = [...sheets, sheet];
}

/** Tells the user what went wrong with an order of his. */
export async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (failure) {
    if (!(failure instanceof CallFailure)) throw failure;
    const text = document.createElement("p");
    text.textContent = failure.code === "denied" ? _("This login may only look.") : failure.message;
    ui.addNotification(null, text, "danger");
  }
}
