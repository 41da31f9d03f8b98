//! One question, or a batch of them, from text to [`Explanation`].

mod assemble;
mod choice;
mod compare;
mod error;
mod found;
mod given;
mod windows;

use std::rc::Rc;

use spanlift_explanation::{Answer, Candidate, Characters, Explanation, ModelInfo, TargetKind};

use crate::answer::{AnswerOptions, Decision};
use crate::attribute::rules::{Against, Preset, RESCALE};
use crate::attribute::{Attribution, KeepEdges, Reference, Span, Target, attribute, target_tokens};
use crate::checkpoint::{self, Checkpoint, CheckpointError, Randomise, Source};
use crate::encode::{EncodeError, Encoding, Windows};
use crate::methods::{Found, Method, Passes};
use crate::model::{Keep, Layout, Trace, forward, forward_pruned};
use crate::ops::attention::{Edges, Head};
use crate::ops::{Matrix, Real, embedding};
use assemble::{assemble, model_info};
use choice::{Choice, check_texts, choose, empty};
pub use compare::Scored;
pub use error::ExplainError;
pub use given::{AnswerChoice, Place};
pub use windows::WindowExplanations;
use windows::{logits_of, reading};

/// A question about a passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// The question.
    pub question: &'a str,
    /// The passage.
    pub passage: &'a str,
}

/// What to explain, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Windows, n best, threshold.
    pub answering: AnswerOptions,
    /// What the input is compared with.
    pub reference: Reference,
    /// What is explained. `Versus` needs [`versus`](Self::versus).
    pub target: TargetKind,
    /// The other span's text, for the target `Versus`; empty for the null answer.
    pub versus: Option<String>,
    /// The answer that is explained: the model's own, or another.
    pub answer: AnswerChoice,
    /// How the scores are made.
    pub method: Method,
    /// The rules of the walk, for [`Method::Walk`].
    pub preset: Preset,
    /// How much of the edges is kept.
    pub edges: KeepEdges,
    /// Whether the attention probabilities are kept.
    pub attention: bool,
    /// Whether of each layer its input alone is kept, and the rest made again in the walk: less memory, more time, the same
    /// numbers. Where the attention probabilities are kept all is.
    pub lean: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            answering: AnswerOptions::default(),
            reference: Reference::default(),
            target: TargetKind::Span,
            versus: None,
            answer: AnswerChoice::Own,
            method: Method::Walk,
            preset: RESCALE,
            edges: KeepEdges::Strongest,
            attention: false,
            lean: false,
        }
    }
}

/// An [`Explanation`], and what is too large for it.
#[derive(Clone, Debug)]
pub struct Explained<T> {
    /// The result.
    pub explanation: Explanation,
    /// Attention probabilities of each layer's heads where asked for, else empty; (L, A), each (S, S).
    pub attention: Vec<Vec<Matrix<T>>>,
    /// All edges where [`KeepEdges::All`] asked for them; (L, A).
    pub edges: Option<Vec<Vec<Edges<T>>>>,
    /// What was explained, with its tokens.
    pub target: Target,
    /// What the scores cost.
    pub passes: Passes,
    /// The explained window.
    pub encoding: Encoding,
    /// The longest answer, in tokens, that is whole in some window wherever it stands in the passage.
    pub longest_whole: usize,
}

/// What the model answers, without an explanation.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// The answer.
    pub answer: Answer,
    /// The n best spans.
    pub candidates: Vec<Candidate>,
    /// How many windows the passage has.
    pub windows: usize,
}

/// A question-answering model that explains itself.
#[derive(Debug)]
pub struct Explainer<T> {
    checkpoint: Checkpoint<T>,
}

/// One item on its way: encoded, its references made. A passage of several windows has its choice already.
#[derive(Clone)]
struct Ready<'a, T> {
    at: usize,
    item: Item<'a>,
    windows: Rc<Windows>,
    /// The explained window.
    encoding: Encoding,
    choice: Option<Choice>,
    references: Vec<Matrix<T>>,
}

/// Results with the places of their items.
type Placed<T> = Vec<(usize, Result<Explained<T>, ExplainError>)>;

/// Traces of the items that share one packed pass may take this many bytes; one item may take more.
const PACK_BYTES: usize = 1 << 29;

impl<T: Real> Explainer<T> {
    /// Loads a checkpoint.
    ///
    /// # Errors
    ///
    /// All that is missing, of a wrong shape, not finite or not supported, in one error.
    pub fn load(source: Source<'_>) -> Result<Self, CheckpointError> {
        Ok(Self {
            checkpoint: checkpoint::load(source)?,
        })
    }

    /// Around a checkpoint that is loaded.
    #[must_use]
    pub fn new(checkpoint: Checkpoint<T>) -> Self {
        Self { checkpoint }
    }

    /// The same, with some of its weights drawn anew; its name says so.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load), and where there is no such layer.
    pub fn randomised(source: Source<'_>, randomise: &Randomise) -> Result<Self, CheckpointError> {
        Ok(Self {
            checkpoint: checkpoint::load_randomised(source, randomise)?,
        })
    }

    /// The same model under another name than its folder's.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.checkpoint.rename(name);
        self
    }

    /// What it is around.
    #[must_use]
    pub fn into_checkpoint(self) -> Checkpoint<T> {
        self.checkpoint
    }

    /// The loaded checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint<T> {
        &self.checkpoint
    }

    /// The model, as every explanation of it says.
    #[must_use]
    pub fn model_info(&self) -> ModelInfo {
        model_info(&self.checkpoint.encoder.config)
    }

    /// Answers one question over all windows of its passage.
    ///
    /// # Errors
    ///
    /// Where question or passage cannot be encoded, or the logits are not finite.
    pub fn answer(
        &self,
        question: &str,
        passage: &str,
        options: &AnswerOptions,
    ) -> Result<Answers, ExplainError> {
        let windows = self.windows(question, passage, options)?;
        let logits = self.read(&windows, &mut |_, _| ())?;
        let reading = reading(&windows, 0, &logits);
        let decision = Decision::over(reading, options).ok_or_else(|| empty(passage))?;
        let text = Characters::new(passage);
        let (window, span) = decision.explained();
        let place = reading.scored(window, span);
        Ok(Answers {
            answer: decision.answer(&windows, place, true, &text),
            candidates: decision.candidates(&windows, &text),
            windows: windows.count(),
        })
    }

    /// Explains one question: one pair of forward passes and one walk for each reference (and, for a passage of several
    /// windows, a forward pass over each to find the answer).
    ///
    /// # Errors
    ///
    /// Where the texts cannot be encoded, the reference or the spans do not fit, or numbers overflow.
    pub fn explain(
        &self,
        question: &str,
        passage: &str,
        options: &Options,
    ) -> Result<Explained<T>, ExplainError> {
        self.explain_watched(Item { question, passage }, options, &mut |_, _| ())
    }

    /// The same; `watch` is told how many windows of a passage of several have been read, and of how many.
    ///
    /// # Errors
    ///
    /// As for [`explain`](Self::explain).
    pub fn explain_watched(
        &self,
        item: Item<'_>,
        options: &Options,
        watch: &mut dyn FnMut(usize, usize),
    ) -> Result<Explained<T>, ExplainError> {
        let ready = self.prepare(0, item, options, watch)?;
        // A pack of one has one result.
        self.explain_pack(vec![ready], options).swap_remove(0).1
    }

    /// Explains several questions: one result for each, in order. They share packed passes, as many at a time as fit in half
    /// a gigabyte of activations; a question's scores do not depend on the others by a bit.
    pub fn explain_batch(
        &self,
        items: &[Item<'_>],
        options: &Options,
    ) -> Vec<Result<Explained<T>, ExplainError>> {
        let mut placed: Placed<T> = Vec::with_capacity(items.len());
        let mut pack = Vec::new();
        let mut bytes = 0;
        for (at, &item) in items.iter().enumerate() {
            match self.prepare(at, item, options, &mut |_, _| ()) {
                Ok(item) => {
                    let more = self.trace_bytes(item.encoding.ids.len(), options);
                    if bytes + more > PACK_BYTES && !pack.is_empty() {
                        placed.append(&mut self.explain_pack(std::mem::take(&mut pack), options));
                        bytes = 0;
                    }
                    bytes += more;
                    pack.push(item);
                }
                Err(error) => placed.push((at, Err(error))),
            }
        }
        if !pack.is_empty() {
            placed.append(&mut self.explain_pack(pack, options));
        }
        // Every item has exactly one result.
        placed.sort_by_key(|(at, _)| *at);
        placed.into_iter().map(|(_, result)| result).collect()
    }

    /// What both traces of a sequence of `s` tokens take.
    fn trace_bytes(&self, s: usize, options: &Options) -> usize {
        let config = &self.checkpoint.encoder.config;
        // A layer's H-wide fields (queries, keys and values count three), its F-wide one, and the shifted scores.
        let row = 9 * config.hidden + config.feed_forward + config.heads * s;
        let numbers = if is_lean(options) {
            row + config.layers * config.hidden
        } else {
            config.layers * row
        };
        2 * s * numbers * size_of::<T>()
    }

    /// Encodes an item and makes its references; chooses the window of several.
    fn prepare<'a>(
        &self,
        at: usize,
        item: Item<'a>,
        options: &Options,
        watch: &mut dyn FnMut(usize, usize),
    ) -> Result<Ready<'a, T>, ExplainError> {
        let windows = self.windows(item.question, item.passage, &options.answering)?;
        check_texts(item, options)?;
        let choice = if windows.count() > 1 {
            let logits = self.read(&windows, watch)?;
            Some(choose(item, reading(&windows, 0, &logits), options)?)
        } else {
            None
        };
        let mut ready = Ready {
            at,
            item,
            encoding: windows.encoding(choice.as_ref().map_or(0, |choice| choice.window)),
            windows: Rc::new(windows),
            choice,
            references: Vec::new(),
        };
        self.add_references(&mut ready, options)?;
        Ok(ready)
    }

    /// At least one, so that an empty list of references is an error; none where the method compares with nothing.
    fn add_references(
        &self,
        ready: &mut Ready<'_, T>,
        options: &Options,
    ) -> Result<(), ExplainError> {
        let Checkpoint {
            encoder,
            vocabulary,
            ..
        } = &self.checkpoint;
        if !options.method.compares(options.preset) {
            return Ok(());
        }
        for r in 0..options.reference.count().max(1) {
            let reference = &options.reference;
            let words = reference.words(r, encoder, vocabulary, &ready.encoding)?;
            ready.references.push(words);
        }
        Ok(())
    }

    /// One packed pass.
    fn explain_pack(&self, mut ready: Vec<Ready<'_, T>>, options: &Options) -> Placed<T> {
        let encoder = &self.checkpoint.encoder;
        let layout = Layout::new(ready.iter().map(|item| &item.encoding.segments[..]));
        let ids: Vec<u32> = ready
            .iter()
            .flat_map(|item| item.encoding.ids.iter().copied())
            .collect();
        // The inputs, and behind them the references: the first of each, where there are several. What is explained shows in the
        // inputs' logits, or was found before; in the last layer the references need no more tokens than that.
        let words = embedding::words(&encoder.embeddings, &ids);
        let mut placed: Placed<T> = Vec::with_capacity(ready.len());
        let input = if options.method.compares(options.preset) {
            let first = ready.iter().map(|item| &item.references[0]);
            let words = stack(std::iter::once(&words).chain(first), words.cols());
            let found = ready.iter().all(|item| item.choice.is_some()) && !options.attention;
            let full = if found { 0 } else { ready.len() };
            let (twice, keep) = (layout.twice(), keep(options));
            forward_pruned(encoder, &twice, words, keep, full, |logits| {
                placed = choose_all(&mut ready, &layout, logits, options);
                let tokens = target_tokens(&layout, &targets(&ready));
                if found {
                    [&tokens[..], &tokens].concat()
                } else {
                    tokens
                }
            })
        } else {
            let input = forward(encoder, &layout, words);
            placed = choose_all(&mut ready, &layout, &input.logits, options);
            input
        };
        if placed.len() == ready.len() {
            input.recycle();
            return placed;
        }
        let targets = targets(&ready);
        let found = self.found(&ready, &layout, &input, &targets, options);
        for (b, (item, found)) in ready.into_iter().zip(found).enumerate() {
            let Some(choice) = item.choice else { continue };
            let Found {
                mut attribution,
                passes,
                chosen,
            } = found;
            if !attribution.is_finite() {
                let (what, precision) = ("scores", T::NAME);
                placed.push((item.at, Err(ExplainError::NotFinite { what, precision })));
                continue;
            }
            let attention = if options.attention {
                attention_of(&input, b, encoder.config.heads)
            } else {
                Vec::new()
            };
            let edges = attribution
                .edges
                .take()
                .filter(|_| options.edges == KeepEdges::All);
            let target = choice.target;
            let Ready {
                at,
                item,
                encoding,
                windows,
                ..
            } = item;
            let explanation = assemble(
                &self.checkpoint,
                item,
                &encoding,
                choice,
                &attribution,
                chosen,
                options,
            );
            placed.push((
                at,
                Ok(Explained {
                    explanation,
                    attention,
                    edges,
                    target,
                    passes,
                    encoding,
                    longest_whole: windows.longest_whole(),
                }),
            ));
        }
        input.recycle();
        placed
    }

    /// The attribution of each packed item: the mean over its references, of which two are held at a time.
    fn walk(
        &self,
        ready: &[Ready<'_, T>],
        layout: &Layout,
        input: &Trace<T>,
        targets: &[Target],
        options: &Options,
    ) -> Vec<Attribution<T>> {
        let encoder = &self.checkpoint.encoder;
        let references = options.reference.count().max(1);
        let edges = match options.edges {
            KeepEdges::Strongest if references > 1 => KeepEdges::All, // the mean's strongest
            edges => edges,
        };
        let sequences = layout.sequences();
        let mut sums: Vec<Attribution<T>> = Vec::new();
        for r in 0..references {
            let rules = options.preset.rules;
            let own = (r > 0).then(|| {
                let words = ready.iter().map(|item| &item.references[r]);
                let width = encoder.embeddings.word_embeddings.cols();
                let words = stack(words, width);
                forward_pruned(encoder, layout, words, keep(options), 0, |_| {
                    target_tokens(layout, targets)
                })
            });
            let of_input = input.part(0..sequences);
            let reference = match &own {
                Some(trace) => trace.into(),
                None => input.part(sequences..2 * sequences),
            };
            let found = attribute(encoder, layout, of_input, reference, targets, rules, edges);
            own.into_iter().for_each(Trace::recycle);
            if sums.is_empty() {
                sums = found;
            } else {
                sums.iter_mut()
                    .zip(found)
                    .for_each(|(sum, found)| sum.add(found));
            }
        }
        if references > 1 {
            sums.iter_mut().for_each(|sum| sum.divide(references));
        }
        sums
    }

    fn windows(
        &self,
        question: &str,
        passage: &str,
        options: &AnswerOptions,
    ) -> Result<Windows, EncodeError> {
        let Checkpoint {
            encoder,
            vocabulary,
            ..
        } = &self.checkpoint;
        let max_tokens = options.max_tokens.min(encoder.config.positions);
        vocabulary
            .encode(question, passage)?
            .windows(vocabulary, max_tokens, options.stride)
    }
}

/// What a pass keeps of each layer.
fn keep(options: &Options) -> Keep {
    if is_lean(options) {
        Keep::Inputs
    } else {
        Keep::All
    }
}

/// Chooses what is explained of each item of one window, by the logits (N, 2) of all; gives those where that fails.
fn choose_all<T: Real>(
    ready: &mut [Ready<'_, T>],
    layout: &Layout,
    logits: &Matrix<T>,
    options: &Options,
) -> Placed<T> {
    let mut failed = Vec::new();
    for (b, item) in ready.iter_mut().enumerate() {
        if item.choice.is_some() {
            continue;
        }
        let choice = logits_of::<T>(logits, layout, b)
            .and_then(|logits| choose(item.item, reading(&item.windows, 0, &[logits]), options));
        match choice {
            Ok(choice) => item.choice = Some(choice),
            Err(error) => failed.push((item.at, Err(error))),
        }
    }
    failed
}

/// What is explained of each. An item that failed walks along under a target that nobody reads.
fn targets<T>(ready: &[Ready<'_, T>]) -> Vec<Target> {
    let target = |item: &Ready<'_, T>| match &item.choice {
        Some(choice) => choice.target,
        None => Target::Span(Span::NULL),
    };
    ready.iter().map(target).collect()
}

/// Whether of each layer its input alone is kept: where a walk alone needs the rest.
fn is_lean(options: &Options) -> bool {
    let walked = options.method == Method::Walk && options.preset.against == Against::Reference;
    options.lean && !options.attention && walked
}

/// The attention probabilities of sequence `b`; (L, A).
fn attention_of<T: Real>(trace: &Trace<T>, b: usize, heads: usize) -> Vec<Vec<Matrix<T>>> {
    let layers = trace.layers.iter();
    layers
        .map(|layer| {
            layer.heads[b * heads..(b + 1) * heads]
                .iter()
                .map(Head::probs)
                .collect()
        })
        .collect()
}

/// Matrices one under the other.
fn stack<'a, T: Real>(parts: impl Iterator<Item = &'a Matrix<T>>, cols: usize) -> Matrix<T> {
    let mut data = Vec::new();
    let mut rows = 0;
    for part in parts {
        data.extend_from_slice(part.data());
        rows += part.rows();
    }
    Matrix::from_vec(rows, cols, data)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests panic to fail")]
mod tests {
    use super::*;
    use crate::attribute::rules::LRP;
    use crate::checkpoint::Source;
    use crate::methods::integrated::Path;

    #[test]
    fn what_is_not_lean_is_not_counted_as_lean() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/four-layers");
        let explainer: Explainer<f32> = Explainer::load(Source::Folder(folder.as_ref())).unwrap();
        let bytes =
            |lean: bool, options: Options| explainer.trace_bytes(100, &Options { lean, ..options });
        let of = |options: Options| [false, true].map(|lean| bytes(lean, options.clone()));
        let [all, lean] = of(Options::default());
        assert!(2 * lean < all, "{lean} {all}");
        for whole in [
            Options {
                attention: true,
                ..Options::default()
            },
            Options {
                preset: LRP,
                ..Options::default()
            },
            Options {
                method: Method::IntegratedGradients(Path::default()),
                ..Options::default()
            },
        ] {
            assert_eq!(of(whole.clone()), [all, all], "{whole:?}");
        }
    }
}
