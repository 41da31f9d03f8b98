/**
 * The colours and shapes of groups: told apart by either alone.
 */

import type { Theme } from "../colour";

const COLOURS: Record<Theme, readonly string[]> = {
  light: ["#0067a8", "#c24e00", "#007f5f", "#9b3f94", "#7d6200", "#4a3aa8", "#2f86b5", "#8c2d4e"],
  dark: ["#5db4f2", "#ff9255", "#3fcf9f", "#e392da", "#e3c44f", "#aaa0ff", "#9adcf5", "#ff8fb1"],
};

/** The colour of the n-th group, from 0; after eight they come again, with another shape. */
export function colourOf(n: number, theme: Theme): string {
  return COLOURS[theme][n % 8] ?? COLOURS[theme][0] ?? "";
}

/** What has no group. */
export function grey(theme: Theme): string {
  return theme === "dark" ? "#8a929b" : "#8a929b";
}
