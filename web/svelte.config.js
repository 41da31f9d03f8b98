export default {
  compilerOptions: {
    customElement: true,
    // Inside a shadow root; and the names of the classes must not depend on where the folder is.
    css: "injected",
    cssHash: ({ hash, css }) => `s${hash(css)}`,
  },
  vitePlugin: {
    // Only the root is an element of its own; the rest are plain components inside its shadow root.
    dynamicCompileOptions: ({ filename }) => ({ customElement: filename.endsWith("/Root.svelte") }),
  },
};
