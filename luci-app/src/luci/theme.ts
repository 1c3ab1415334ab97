/**
 * Dark or light? Themes tell it in many ways or not at all (conventions.md 2.8), so it is measured: the luminance of the first opaque
 * background behind the page. So is whether a section is a box of its own, since some themes that make it one leave the room within
 * to what is in it. The answers are attributes on the root, which the page's own few colours and paddings follow.
 */

/** Writes `data-kcp-theme` and `data-kcp-sections`, and keeps them true; returns what ends that. */
export function followTheme(root: HTMLElement): () => void {
  const update = () => {
    root.dataset.kcpTheme = isDark(root) ? "dark" : "light";
    root.dataset.kcpSections = hasBoxes(root) ? "boxed" : "plain";
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

/** Has a section a background or a shadow? Asked of one that is there for a moment. */
function hasBoxes(root: HTMLElement): boolean {
  const section = document.createElement("div");
  section.className = "cbi-section";
  root.append(section);
  const { backgroundColor, boxShadow } = getComputedStyle(section);
  const boxed = colour(backgroundColor)[3] > 0.5 || (boxShadow !== "" && boxShadow !== "none");
  section.remove();
  return boxed;
}

/** Red, green, blue, and how opaque; nothing for what has no place in the document yet. */
function colour(computed: string): readonly [number, number, number, number] {
  const parts = computed.match(/[\d.]+/g)?.map(Number) ?? [];
  const [red = 0, green = 0, blue = 0, alpha = parts.length < 3 ? 0 : 1] = parts;
  return [red, green, blue, alpha];
}
