//! The [`Explanation`]: everything Spanlift found out about one question, as plain data.
//!
//! It is the one artefact between the engine and whatever shows a result: renderers, stores, studies and
//! servers read it and nothing else. Its JSON form carries a format name and a version ([`FORMAT`],
//! [`VERSION`]); [`Explanation::from_json`] reads this version or says what it met instead, and
//! [`Explanation::validate`] holds on both sides of the border: what was read can be indexed without a further
//! look, and what could not be read back is not written. [`Explanation::check_sums`] adds the scores up again, for whoever
//! shows a file that may have been edited. [`words`] joins tokens for whoever shows words.
//!
//! Dimension letters: `S` tokens of the explained window, `L` layers, `A` heads.
//!
//! ```
//! # fn main() -> Result<(), spanlift_explanation::ReadError> {
//! use spanlift_explanation::{Explanation, ReadError};
//!
//! let newer = r#"{"format": "spanlift.explanation", "version": 9}"#;
//! let error = Explanation::from_json(newer).unwrap_err();
//! assert!(matches!(error, ReadError::Version { got: 9, .. }));
//! # Ok(())
//! # }
//! ```

mod comparison;
mod document;
mod invalid;
mod invalid_windows;
mod json;
mod sums;
mod validate;
mod words;

pub use comparison::{COMPARISON_FORMAT, COMPARISON_VERSION, Compared, Comparison};
pub use document::{
    Document, DocumentLayer, Merge, OWN_TARGETS, Place, WINDOWS_FORMAT, WINDOWS_VERSION, Windows,
};
pub use invalid::Invalid;
pub use invalid_windows::InvalidWindows;
pub use json::{FORMAT, ReadError, VERSION, WindowsWriter, WriteError};
pub use sums::WITHOUT_PROMISE;
pub use words::{Characters, NO_TEXT, Texts, Word, is_blank, words, words_of};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Why a model gave its answer: signed scores of every token at every cut, and what they add up to.
///
/// Scores of tokens, heads and edges are `f32` (written so that they read back exactly); sums, errors and
/// the target's values are `f64`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Always [`FORMAT`].
    pub format: String,
    /// Always [`VERSION`] in what this crate writes.
    pub version: u32,
    /// The model that was explained.
    pub model: ModelInfo,
    /// How the scores were made.
    pub method: Method,
    /// The question, as given.
    pub question: String,
    /// The whole passage, as given.
    pub passage: String,
    /// The window of the passage that was explained.
    pub window: Window,
    /// The answer that was explained.
    pub answer: Answer,
    /// The n best spans over all windows, best first.
    pub candidates: Vec<Candidate>,
    /// The tokens of the explained window: `[CLS] question [SEP] passage [SEP]`, S of them.
    pub tokens: Vec<Token>,
    /// What was explained: a number linear in the logits.
    pub target: Target,
    /// The cuts: the input of each encoder layer, then `output`; L+1 of them, or as [`Method::scope`] says.
    pub layers: Vec<LayerScores>,
    /// Scores at the word embeddings, before position and segment are added; (S).
    pub word_score: Vec<f32>,
    /// Sum of the contributions at the words.
    pub word_sum: f64,
    /// `word_sum` − [`Target::delta`].
    pub word_error: f64,
    /// Contributions through the attention heads.
    pub heads: HeadScores,
    /// Contribution through each layer's feed-forward block; (L).
    pub mlp: Vec<f64>,
    /// Contribution past each layer's feed-forward block, through its residual connection; (L).
    pub mlp_residual: Vec<f64>,
    /// `mlp` + `mlp_residual` − [`Target::delta`]; (L).
    pub mlp_error: Vec<f64>,
    /// The edges with the largest |pattern + content|, largest first; at most 200.
    pub top_edges: Vec<Edge>,
    /// Whether the sums hold, in one place.
    pub completeness: Completeness,
}

/// The model that was explained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// The checkpoint's name: its folder, or the embedded model's name.
    pub name: String,
    /// `bert`, `roberta`, `xlm-roberta`, `distilbert`, `electra`, `mobilebert` or `deberta-v2`: it says how [`words`] are marked.
    pub family: String,
    /// L.
    pub layers: usize,
    /// A.
    pub heads: usize,
    /// H, hidden units.
    pub hidden: usize,
}

/// How the scores were made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// `deeplift`, `gradient-x-input`, `integrated-gradients`, `lrp`, `occlusion`, `attention`, `rollout` or `random`.
    pub name: String,
    /// Which form of the method: for `deeplift` `rescale`, `reveal-cancel`, or one of [`WITHOUT_PROMISE`].
    pub rule: String,
    /// What the input was compared with: `mask`, `pad`, `unk`, `zero`, `mean`, `passage`, `question`, `tokens`, or
    /// several with + between them; `none` where the method compares with nothing, and [`Target::reference_value`] is 0.
    pub reference: String,
    /// How many references were averaged; 0 for `none`.
    pub references: usize,
    /// The rule of each kind of operation, where the method is a walk through them.
    pub rules: BTreeMap<String, String>,
    /// What else was chosen: points of a path, what is occluded, a seed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// Whether the method makes every cut add up to [`Target::delta`] but for rounding. Where it does not, the errors say how
    /// far its scores are from that; they are never rescaled.
    #[serde(default = "yes")]
    pub complete: bool,
    /// What has scores.
    #[serde(default)]
    pub scope: Scope,
}

impl Method {
    /// What the field calls it: its name, or `deep-shap` for DeepLIFT against several references.
    #[must_use]
    pub fn label(&self) -> &str {
        if self.name == "deeplift" && self.references > 1 {
            "deep-shap"
        } else {
            &self.name
        }
    }
}

fn yes() -> bool {
    true
}

/// What a method gives scores to; the lists of what has none are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The words, every cut, and the blocks inside each layer.
    #[default]
    All,
    /// The words and every cut: no heads, no feed-forward blocks, no edges.
    Cuts,
    /// The words alone.
    Words,
}

/// The part of the passage that fits the model together with the question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Which window, from 0.
    pub index: usize,
    /// How many windows the passage has.
    pub count: usize,
    /// First character of the passage in this window.
    pub start: usize,
    /// One past the last character of the passage in this window.
    pub end: usize,
}

/// The answer that was explained; no answer is an answer (`has_answer` false, `text` empty, tokens 0).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The span's text: a slice of the passage; empty for no answer.
    pub text: String,
    /// First character of the span in the passage; null for no answer.
    pub start: Option<usize>,
    /// One past the last character of the span in the passage; null for no answer.
    pub end: Option<usize>,
    /// First token of the span in the explained window; 0 (`[CLS]`) for no answer.
    pub start_token: usize,
    /// Last token of the span in the explained window (inclusive); 0 for no answer.
    pub end_token: usize,
    /// Start logit plus end logit of the best span over all windows, also when there is no answer; of the given span where
    /// the caller chose one.
    pub score: f64,
    /// Start logit plus end logit of `[CLS]`: the smallest over all windows.
    pub null_score: f64,
    /// False where the model says that the passage holds no answer, or the caller asked for no answer to be explained.
    pub has_answer: bool,
    /// Softmax over the candidates and the null answer: of this answer, so for no answer that of the null answer.
    pub probability: f64,
    /// Whether the caller chose this answer; the model's own is then the first of the candidates, or no answer.
    #[serde(default)]
    pub given: bool,
}

/// One of the n best spans.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The span's text: a slice of the passage.
    pub text: String,
    /// First character in the passage.
    pub start: usize,
    /// One past the last character in the passage.
    pub end: usize,
    /// The window it was found in.
    pub window: usize,
    /// First token, in that window.
    pub start_token: usize,
    /// Last token (inclusive), in that window.
    pub end_token: usize,
    /// Start logit plus end logit.
    pub score: f64,
    /// Softmax over the candidates and the null answer.
    pub probability: f64,
}

/// Where a token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// `[CLS]` or one of the two `[SEP]`.
    Special,
    /// The question.
    Question,
    /// The passage.
    Passage,
}

/// One token of the explained window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The vocabulary's text of the token, with its mark for the beginning (`Ġ`, `▁`) or the continuation (`##`) of a word.
    pub text: String,
    /// Row of the embedding table.
    pub id: u32,
    /// Where it comes from.
    pub part: Part,
    /// First character in the question or the passage, counted in Unicode characters; null where it has no text.
    pub start: Option<usize>,
    /// One past the last character.
    pub end: Option<usize>,
}

/// What was explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// Start logit plus end logit of the answer (of `[CLS]` for no answer).
    Span,
    /// Start logit alone.
    Start,
    /// End logit alone.
    End,
    /// Best span minus null score, both of the explained window: why an answer at all.
    Margin,
    /// The answer minus another span.
    Versus,
}

/// The number that the scores share out: linear in the logits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Which number.
    pub kind: TargetKind,
    /// Token of the start logit.
    pub start_token: usize,
    /// Token of the end logit.
    pub end_token: usize,
    /// For `versus`: the span that is subtracted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versus: Option<Versus>,
    /// Its value on the input.
    pub value: f64,
    /// Its value on the reference (the mean over several).
    pub reference_value: f64,
    /// `value` − `reference_value`: what every cut's scores add up to.
    pub delta: f64,
}

/// The span that a `versus` target subtracts; empty text and tokens 0 for the null answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versus {
    /// Its text.
    pub text: String,
    /// Its first token.
    pub start_token: usize,
    /// Its last token (inclusive).
    pub end_token: usize,
}

/// The scores at one cut through the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerScores {
    /// `"1"`..`"L"` for the input of that encoder layer, or `"output"`.
    pub name: String,
    /// Each token's score: the sum of its contributions over the hidden axis; (S).
    pub score: Vec<f32>,
    /// The sum of its positive contributions; (S).
    pub positive: Vec<f32>,
    /// The sum of its negative contributions; (S).
    pub negative: Vec<f32>,
    /// Sum of all contributions.
    pub sum: f64,
    /// `sum` − [`Target::delta`].
    pub error: f64,
}

/// Contributions through the attention heads of every layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadScores {
    /// Through each head; (L, A).
    pub score: Vec<Vec<f32>>,
    /// The same, by query token; (L, A, S).
    pub by_token: Vec<Vec<Vec<f32>>>,
    /// Past the attention block, through its residual connection; (L).
    pub residual: Vec<f64>,
    /// Heads + residual − [`Target::delta`]; (L).
    pub error: Vec<f64>,
}

/// What flows from a key token to a query token through one head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// Layer, from 1.
    pub layer: usize,
    /// Head, from 1.
    pub head: usize,
    /// The token that looks.
    pub query: usize,
    /// The token that is looked at.
    pub key: usize,
    /// Contribution of where the head looks.
    pub pattern: f32,
    /// Contribution of what it carries from there.
    pub content: f32,
}

/// Whether every cut adds up: the worst of all cuts, held against the bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completeness {
    /// An error is in bounds while |error| ≤ bound · max(1, Σ|score|).
    pub bound: f64,
    /// The largest |error| / max(1, Σ|score|) over all cuts.
    pub worst: f64,
    /// The cut that has it: `words`, a layer's name, `output`, `heads 3`, `mlp 3`.
    pub cut: String,
    /// `worst` ≤ `bound`, and finite.
    pub holds: bool,
}
