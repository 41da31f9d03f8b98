// Defines <spanlift-explanation>; a page may run this more than once (a notebook does for every cell).
import Root from "./Root.svelte";

const TAG = "spanlift-explanation";
const { element } = Root as unknown as { element: CustomElementConstructor };
if (!customElements.get(TAG)) customElements.define(TAG, element);
