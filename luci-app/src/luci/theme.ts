/**
 * Dark or light? Themes tell it in many ways or not at all (conventions.md 2.8), so it is measured: the luminance of the first opaque
 * background behind the page. The answer is an attribute on the root, which the page's own few colours follow.
 */

/** Writes `data-kcp-theme` and keeps it true; returns what ends that. */
export function followTheme(root: HTMLElement): () => void {
  const update = () => {
    root.dataset.kcpTheme = isDark(root) ? "dark" : "light";
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
    const parts =
      getComputedStyle(element)
        .backgroundColor.match(/[\d.]+/g)
        ?.map(Number) ?? [];
    const [red = 0, green = 0, blue = 0, alpha = 1] = parts;
    if (parts.length >= 3 && alpha > 0.5) return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  }
  return false;
}
