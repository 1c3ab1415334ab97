/**
 * The page as one LuCI module: `'require kcp-router.lib as lib'`. The menu's views and the widget of LuCI's overview are thin files
 * in htdocs/ that take their part from here, so that everything is loaded once.
 */
import { Settings } from "./models/settings.ts";
import { attempt, mountForm, mountPage, type PageParts } from "./page.tsx";
import { connectionsPage } from "./pages/connections.tsx";
import { diagnosePage } from "./pages/diagnose.tsx";
import { peersPage } from "./pages/peers.tsx";
import { makeSuggestions, SettingsPage } from "./pages/settings.tsx";
import { StatusPage } from "./pages/status.tsx";
import { widgetPage } from "./pages/widget.tsx";

/** Pages that only show. */
const PAGES: Readonly<Record<string, () => PageParts>> = {
  status: () => ({ view: (props) => <StatusPage {...props} /> }),
  connections: connectionsPage,
  peers: peersPage,
  diagnose: diagnosePage,
};

/** Without LuCI's footer of Save and Apply. */
const LOOK_ONLY = { handleSave: null, handleSaveApply: null, handleReset: null };

/** LuCI's form page: its own footer, its own indicator of unsaved changes, its own apply with rollback. */
function settingsView(): object {
  const settings = new Settings();
  const suggestions = makeSuggestions();
  const save = async (): Promise<boolean> => {
    let saved = false;
    await attempt(async () => {
      saved = await settings.save();
    });
    // The first mistake is where the eye is needed; one of a section as a whole has no field to go to.
    if (!saved) {
      const mistake = document.querySelector<HTMLElement>(".kcp [aria-invalid=true], .kcp .kcp-field-error");
      mistake?.scrollIntoView({ block: "center" });
      mistake?.focus();
    }
    return saved;
  };
  const form = {
    load: () => attempt(() => settings.load()),
    render() {
      void suggestions.load();
      return mountForm((writable) => (
        <SettingsPage settings={settings} suggestions={suggestions} writable={writable} />
      ));
    },
  };
  // LuCI would show its buttons to who may only look, switched off.
  if (!L.hasViewPermission()) return { ...form, ...LOOK_ONLY };
  return {
    ...form,
    handleSave: save,
    /** LuCI's mode "0" = checked apply: rolled back unless the browser reaches the router afterwards. */
    async handleSaveApply(_event: Event, mode: string) {
      if (await save()) ui.changes.apply(mode === "0");
    },
    handleReset: () => attempt(() => settings.load()),
  };
}

export const library = baseclass.extend({
  /** Properties for `view.extend` of a page's view. */
  page(name: string): object {
    if (name === "settings") return settingsView();
    const parts = PAGES[name];
    if (parts === undefined) throw new Error(`There is no page ${name}.`);
    return { ...LOOK_ONLY, render: () => mountPage(parts()) };
  },

  /** Properties for `baseclass.extend` of the widget on LuCI's overview. */
  widget(): object {
    return widgetPage();
  },
});
