//! Shows an [`Explanation`](spanlift_explanation::Explanation): one file a format, and nothing but the
//! explanation to go by.
//!
//! ```text
//! Explanation ──> terminal.rs ──────────────> text, with or without colour
//!             ├─> format.rs ──> json.rs       the explanation itself
//!             │                 svg.rs        every cut on one sheet   <── picture/
//!             │                 png.rs        the same, drawn
//!             │                 html.rs       one page to click in    <── page.rs
//!             └─> figures.rs ───────────────> one picture a cut        <── picture/
//!                  cut.rs, clusters.rs, facts.rs: what all of them show
//!                  colour.rs: the colours of scores, the same everywhere; text.rs: foreign text that cannot act
//! ```
//!
//! ```
//! use spanlift_explanation::Explanation;
//! use spanlift_render::{Options, TerminalOptions, format_for, terminal};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let explanation = Explanation::from_json(include_str!("../tests/data/mill.json"))?;
//! let text = terminal(&explanation, &TerminalOptions::default());
//! assert!(text.contains("answer     Ada Byron\n"));
//!
//! let picture = format_for("mill.svg".as_ref())?.write(&explanation, &Options::default())?;
//! assert!(picture.bytes.starts_with(b"<svg") && picture.warnings.is_empty());
//! # Ok(())
//! # }
//! ```

mod clusters;
pub mod colour;
mod cut;
mod error;
mod facts;
mod figures;
mod format;
mod html;
mod json;
mod number;
mod options;
pub mod page;
mod picture;
mod png;
mod svg;
mod terminal;
mod text;

pub use error::RenderError;
pub use figures::figures;
pub use format::{FORMATS, Format, Rendered, format_for};
pub use options::{Options, Scale, Unit};
pub use terminal::{
    ColourDepth, TerminalOptions, WindowLine, comparison_terminal, terminal, windows_terminal,
};
