//! DeepLIFT through a question-answering encoder of the BERT family: a signed score for every token at every layer and
//! head, exactly complete, from one backward walk.
//!
//! ```text
//!       question, passage          config.json, model.safetensors, tokenizer.json | vocab.txt
//!             |                                   |
//!             v  encode                           v  checkpoint
//!         Encoding, Reference ---------------> Encoder
//!                                                 |  model::forward: calls ops, keeps a Trace
//!                                                 v
//!                                   Trace (input), Trace (reference) --> logits --> answer (span or none)
//!                                                 |  model::backward: one walk, a rule per operation
//!                                                 v
//!                                            Attribution   attribute: layer, head, edge scores; sums and errors
//!                                                 v
//!                                            Explanation   plain data with a JSON form
//! ```
//!
//! [`Explainer`] does all of it. A run on a checkpoint of two layers and 56 words:
//!
//! ```
//! use spanlift::checkpoint::Source;
//! use spanlift::{Explainer, Options};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/two-layers"));
//! let explainer: Explainer<f32> = Explainer::load(Source::Folder(folder))?;
//! let passage = "the mayor moved the old bridge to the harbour .";
//! let explained = explainer.explain("who moved the bridge ?", passage, &Options::default())?;
//!
//! let explanation = explained.explanation;
//! assert_eq!(explanation.layers.len(), 3); // the inputs of both layers, and the output
//! for layer in &explanation.layers {
//!     let sum: f32 = layer.score.iter().sum();
//!     assert!((f64::from(sum) - explanation.target.delta).abs() < 1e-5);
//! }
//! assert!(explanation.completeness.holds);
//! # Ok(())
//! # }
//! ```
//!
//! Rules cite METHOD sections: the method's description, whose formulas the modules repeat where they use them. Dimension
//! letters: S tokens of a sequence, N of all packed sequences, H hidden units, A heads, D = H/A, L layers, F feed-forward
//! units. For any quantity x, x0 is its value at the reference, Δx = x − x0, x̄ = (x + x0)/2.

pub mod answer;
pub mod attribute;
pub mod check;
pub mod checkpoint;
pub mod encode;
mod explain;
pub mod lot;
pub mod methods;
pub mod model;
pub mod ops;
pub mod removal;
pub mod train;

pub use explain::{
    AnswerChoice, Answers, ExplainError, Explained, Explainer, Item, Options, Place, Scored,
    WindowExplanations,
};
