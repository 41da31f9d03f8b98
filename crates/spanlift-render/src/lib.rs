//! Shows an [`Explanation`](spanlift_explanation::Explanation): one file a format, and nothing but the
//! explanation to go by.
//!
//! ```text
//! Explanation ──> terminal.rs ──> text, with or without colour
//!                  ├── colour.rs   the colours of scores, the same in every format
//!                  └── text.rs     foreign text that cannot act
//! ```
//!
//! ```
//! use spanlift_explanation::Explanation;
//! use spanlift_render::{TerminalOptions, terminal};
//!
//! # fn main() -> Result<(), spanlift_explanation::ReadError> {
//! let explanation = Explanation::from_json(include_str!("../tests/data/mill.json"))?;
//! let text = terminal(&explanation, &TerminalOptions::default());
//! assert!(text.contains("answer     Ada Byron\n"));
//! # Ok(())
//! # }
//! ```

pub mod colour;
mod terminal;
mod text;

pub use terminal::{ColourDepth, Scale, TerminalOptions, terminal};
