/**
 * Dark or light? Themes tell it in many ways or not at all (conventions.md 2.8), so it is measured: the luminance of the first opaque
 * background behind the page. So is whether a section is a box of its own, since some themes that make it one leave the room within
 * to what is in it. The answers are attributes on the root, which the page's own few colours and paddings follow, and the colour of
 * such a box, which its cards take.
 */

/** Writes `data-kcp-theme`, `data-kcp-sections` and `--kcp-back`, and keeps them true; returns what ends that. */
export function followTheme(root: HTMLElement): () => void {
  const update = () => {
    root.dataset.kcpTheme = isDark(root) ? "dark" : "light";
    const { back, hasShadow } = sectionStyle(root);
    const isBoxed = back !== undefined || hasShadow;
    root.dataset.kcpSections = isBoxed ? "boxed" : "plain";
    root.style.setProperty("--kcp-back", back ?? "");
  };
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", update);
  const observer = new MutationObserver(update);
  observer.observe(document.documentElement, {
    attributes: true,
    attributeFilter: ["data-darkmode", "class"],
  });
  update();
  // Style sheets may come in after us.
  const soon = requestAnimationFrame(update);
  return () => {
    cancelAnimationFrame(soon);
    media.removeEventListener("change", update);
    observer.disconnect();
  };
}

function isDark(root: HTMLElement): boolean {
  for (let element: HTMLElement | null = root; element !== null; element = element.parentElement) {
    const [red, green, blue, alpha] = colour(getComputedStyle(element).backgroundColor);
    if (alpha > 0.5) return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  }
  return false;
}

/** A section's background, if it has one of its own, and its shadow. Asked of one that is there for a moment. */
function sectionStyle(root: HTMLElement): { back: string | undefined; hasShadow: boolean } {
  const section = document.createElement("div");
  section.className = "cbi-section";
  root.append(section);
  const { backgroundColor, boxShadow } = getComputedStyle(section);
  const style = {
    back: colour(backgroundColor)[3] > 0.5 ? backgroundColor : undefined,
    hasShadow: boxShadow !== "" && boxShadow !== "none",
  };
  section.remove();
  return style;
}

/** Red, green, blue, and how opaque; nothing for what has no place in the document yet. */
function colour(computed: string): readonly [number, number, number, number] {
  const parts = computed.match(/[\d.]+/g)?.map(Number) ?? [];
  const [red = 0, green = 0, blue = 0, alpha = parts.length < 3 ? 0 : 1] = parts;
  return [red, green, blue, alpha];
}
