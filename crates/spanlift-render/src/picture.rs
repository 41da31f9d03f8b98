//! What the pictures are made of: measured text, laid out and painted.
//!
//! ```text
//! clusters of text ──flow.rs──> atoms, each measured (font.rs), broken into lines, in visual order (direction.rs)
//!                  ──paint.rs─> rectangles, outlines and text runs   (xml.rs escapes)
//!                  ──sheet.rs─> header (header.rs), then a map and a scale a cut (map.rs), on a page as high as they need
//! ```

mod direction;
pub(crate) mod flow;
pub(crate) mod font;
mod header;
mod map;
pub(crate) mod paint;
pub(crate) mod sheet;
pub(crate) mod xml;
