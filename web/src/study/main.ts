// Defines <spanlift-study>: the page of a study.
import Root from "./Root.svelte";

const TAG = "spanlift-study";
const { element } = Root as unknown as { element: CustomElementConstructor };
if (!customElements.get(TAG)) customElements.define(TAG, element);
