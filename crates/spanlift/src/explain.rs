//! One question, or a batch of them, from text to [`Explanation`].

use thiserror::Error;

use spanlift_explanation::{
    Answer, Candidate, Characters, Completeness, Edge, Explanation, FORMAT, HeadScores,
    LayerScores, Method, ModelInfo, TargetKind, VERSION, Versus,
};

use crate::answer::{
    AnswerOptions, Decision, Logits, Scored, best_of_window, characters, occurrences,
};
use crate::attribute::rules::{Preset, RESCALE};
use crate::attribute::{
    Attribution, EdgeScore, KeepEdges, Reference, ReferenceError, Span, TOP_EDGES, Target,
    attribute, sum,
};
use crate::checkpoint::{self, Checkpoint, CheckpointError, Source};
use crate::encode::{EncodeError, Encoding, find_span};
use crate::model::{Layout, Trace, forward};
use crate::ops::attention::{Edges, Head};
use crate::ops::contribution::Contribution;
use crate::ops::{Matrix, Real, embedding};

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
    /// The answer to explain in place of the model's own: a text of the passage; empty for no answer.
    pub answer: Option<String>,
    /// The rules of the walk.
    pub preset: Preset,
    /// How much of the edges is kept.
    pub edges: KeepEdges,
    /// Whether the attention probabilities are kept.
    pub attention: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            answering: AnswerOptions::default(),
            reference: Reference::default(),
            target: TargetKind::Span,
            versus: None,
            answer: None,
            preset: RESCALE,
            edges: KeepEdges::Strongest,
            attention: false,
        }
    }
}

/// Why a question could not be explained.
#[derive(Debug, Error)]
pub enum ExplainError {
    /// Question and passage could not be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The reference does not fit.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The text given as an answer, or to explain the answer against, is not in the passage.
    #[error(
        "{field}: expected a text of the passage (or nothing, for no answer), got {got:?}, which does not occur in it"
    )]
    NotInPassage {
        /// `answer` or `versus`.
        field: &'static str,
        /// The text.
        got: String,
    },
    /// That text is longer than any window.
    #[error(
        "{field}: no window of {max_tokens} tokens holds all of {got:?}; allow longer windows, or a shorter text"
    )]
    NotInWindow {
        /// `answer` or `versus`.
        field: &'static str,
        /// The text.
        got: String,
        /// The longest window.
        max_tokens: usize,
    },
    /// No window holds both spans.
    #[error(
        "versus: no window of {max_tokens} tokens holds both the answer {answer:?} and {versus:?}; allow longer windows, or another span"
    )]
    FarApart {
        /// The answer's text.
        answer: String,
        /// The other span's text.
        versus: String,
        /// The window's length.
        max_tokens: usize,
    },
    /// The target `versus` without the other span.
    #[error("target versus: expected the text of another span, got none")]
    NoVersus,
    /// Both spans are the same tokens.
    #[error("versus: expected a span other than the answer, got the answer itself, {got:?}")]
    SameSpan {
        /// Its text.
        got: String,
    },
    /// Finite weights, yet the numbers overflow.
    #[error(
        "the model's {what} are not finite in {precision}: its weights are too large for this precision"
    )]
    NotFinite {
        /// `logits` or `scores`.
        what: &'static str,
        /// `f32` or `f64`.
        precision: &'static str,
    },
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
    /// The explained window.
    pub encoding: Encoding,
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

/// What is explained of one item.
struct Choice {
    decision: Decision,
    /// The explained window.
    window: usize,
    answer: Answer,
    target: Target,
    versus: Option<Versus>,
}

/// One item on its way: encoded, its references made. A passage of several windows has its choice already.
struct Ready<'a, T> {
    at: usize,
    item: Item<'a>,
    windows: Vec<Encoding>,
    choice: Option<Choice>,
    references: Vec<Matrix<T>>,
}

impl<T> Ready<'_, T> {
    /// The explained window.
    fn encoding(&self) -> &Encoding {
        &self.windows[self.choice.as_ref().map_or(0, |choice| choice.window)]
    }
}

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

    /// The loaded checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint<T> {
        &self.checkpoint
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
        let logits = self.read(&windows)?;
        let decision = Decision::over(&windows, &logits, options).ok_or_else(|| empty(passage))?;
        let text = Characters::new(passage);
        let (window, span) = decision.explained();
        Ok(Answers {
            answer: decision.answer(&windows[window], span, decision.best[0].score, &text),
            candidates: decision.candidates(&windows, &text),
            windows: windows.len(),
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
        let mut explained = self.explain_batch(&[Item { question, passage }], options);
        explained.swap_remove(0)
    }

    /// Explains several questions in one packed pass: one result for each, in order. A question's scores do not depend
    /// on the others beyond rounding.
    pub fn explain_batch(
        &self,
        items: &[Item<'_>],
        options: &Options,
    ) -> Vec<Result<Explained<T>, ExplainError>> {
        let mut results: Vec<Result<Explained<T>, ExplainError>> = Vec::with_capacity(items.len());
        let mut ready = Vec::with_capacity(items.len());
        for (at, &item) in items.iter().enumerate() {
            // Every item holds its place with the error that it has until it has a result.
            match self.prepare(at, item, options) {
                Ok(item) => {
                    ready.push(item);
                    results.push(Err(ExplainError::NotFinite {
                        what: "logits",
                        precision: T::NAME,
                    }));
                }
                Err(error) => results.push(Err(error)),
            }
        }
        if !ready.is_empty() {
            for (at, result) in self.explain_ready(ready, options) {
                results[at] = result;
            }
        }
        results
    }

    /// Encodes an item and makes its references; chooses the window of several.
    fn prepare<'a>(
        &self,
        at: usize,
        item: Item<'a>,
        options: &Options,
    ) -> Result<Ready<'a, T>, ExplainError> {
        let Checkpoint {
            bert, vocabulary, ..
        } = &self.checkpoint;
        let windows = self.windows(item.question, item.passage, &options.answering)?;
        let choice = if windows.len() > 1 {
            let logits = self.read(&windows)?;
            Some(choose(item, &windows, &logits, options)?)
        } else {
            None
        };
        let mut ready = Ready {
            at,
            item,
            windows,
            choice,
            references: Vec::new(),
        };
        // At least one, so that an empty list of references is an error.
        for r in 0..options.reference.count().max(1) {
            let words = options
                .reference
                .words(r, bert, vocabulary, ready.encoding())?;
            ready.references.push(words);
        }
        Ok(ready)
    }

    /// The packed pass.
    fn explain_ready(
        &self,
        mut ready: Vec<Ready<'_, T>>,
        options: &Options,
    ) -> Vec<(usize, Result<Explained<T>, ExplainError>)> {
        let bert = &self.checkpoint.bert;
        let layout = Layout::new(ready.iter().map(|item| &item.encoding().segments[..]));
        let ids: Vec<u32> = ready
            .iter()
            .flat_map(|item| item.encoding().ids.iter().copied())
            .collect();
        let mut input = forward(bert, &layout, embedding::words(&bert.embeddings, &ids));
        let mut results = Vec::with_capacity(ready.len());
        for (b, item) in ready.iter_mut().enumerate() {
            let choice = match item.choice.take() {
                Some(choice) => Ok(choice),
                None => logits_of(&input, &layout, b)
                    .and_then(|logits| choose(item.item, &item.windows, &[logits], options)),
            };
            match choice {
                Ok(choice) => item.choice = Some(choice),
                Err(error) => results.push((item.at, Err(error))),
            }
        }
        // An item that failed walks along under a target that nobody reads.
        let unread = Target::Span(Span::NULL);
        let targets: Vec<Target> = ready
            .iter()
            .map(|item| item.choice.as_ref().map_or(unread, |choice| choice.target))
            .collect();
        let rules = options.preset.rules;
        let references = options.reference.count().max(1);
        let keep = match options.edges {
            KeepEdges::Strongest if references > 1 => KeepEdges::All, // the mean's strongest
            keep => keep,
        };
        let mut found: Vec<Vec<Attribution<T>>> = ready.iter().map(|_| Vec::new()).collect();
        for r in 0..references {
            let words = stack(
                ready.iter().map(|item| &item.references[r]),
                bert.config.hidden,
            );
            let reference = forward(bert, &layout, words);
            let walked = attribute(bert, &layout, &input, &reference, &targets, rules, keep);
            for (found, attribution) in found.iter_mut().zip(walked) {
                found.push(attribution);
            }
        }
        let heads = bert.config.heads;
        for (b, (item, found)) in ready.into_iter().zip(found).enumerate() {
            let (at, item_found) = (item.at, Attribution::mean(found, TOP_EDGES));
            let (Some(choice), Some(mut attribution)) = (item.choice, item_found) else {
                continue;
            };
            if !attribution.is_finite() {
                results.push((
                    at,
                    Err(ExplainError::NotFinite {
                        what: "scores",
                        precision: T::NAME,
                    }),
                ));
                continue;
            }
            let attention = if options.attention {
                let layers = input.layers.iter_mut();
                let head =
                    |head: &mut Head<T>| std::mem::replace(&mut head.probs, Matrix::zeros(0, 0));
                layers
                    .map(|l| {
                        l.heads[b * heads..(b + 1) * heads]
                            .iter_mut()
                            .map(head)
                            .collect()
                    })
                    .collect()
            } else {
                Vec::new()
            };
            let edges = attribution
                .edges
                .take()
                .filter(|_| options.edges == KeepEdges::All);
            let target = choice.target;
            let explanation = assemble(
                &self.checkpoint,
                item.item,
                &item.windows,
                choice,
                &attribution,
                options,
            );
            let encoding = item.windows.into_iter().nth(explanation.window.index);
            if let Some(encoding) = encoding {
                results.push((
                    at,
                    Ok(Explained {
                        explanation,
                        attention,
                        edges,
                        target,
                        encoding,
                    }),
                ));
            }
        }
        results
    }

    fn windows(
        &self,
        question: &str,
        passage: &str,
        options: &AnswerOptions,
    ) -> Result<Vec<Encoding>, EncodeError> {
        let Checkpoint {
            bert, vocabulary, ..
        } = &self.checkpoint;
        let max_tokens = options.max_tokens.min(bert.config.positions);
        vocabulary
            .encode(question, passage)?
            .windows(vocabulary, max_tokens, options.stride)
    }

    /// The logits of each window, one forward pass at a time, so that memory does not grow with the passage.
    fn read(&self, windows: &[Encoding]) -> Result<Vec<Logits>, ExplainError> {
        windows
            .iter()
            .map(|encoding| self.logits(encoding, &encoding.ids))
            .collect()
    }

    /// The logits of an encoding with other ids in place of its own.
    fn logits(&self, encoding: &Encoding, ids: &[u32]) -> Result<Logits, ExplainError> {
        let bert = &self.checkpoint.bert;
        let layout = Layout::new([&encoding.segments[..]]);
        let trace = forward(bert, &layout, embedding::words(&bert.embeddings, ids));
        logits_of(&trace, &layout, 0)
    }

    /// The target's value on an encoding with other ids in place of its own.
    pub(crate) fn value_at(
        &self,
        target: Target,
        encoding: &Encoding,
        ids: &[u32],
    ) -> Result<f64, ExplainError> {
        let logits = self.logits(encoding, ids)?;
        let rows = logits
            .start
            .iter()
            .zip(&logits.end)
            .flat_map(|(s, e)| [*s, *e])
            .collect();
        Ok(target.value(&Matrix::from_vec(logits.start.len(), 2, rows), 0))
    }
}

fn logits_of<T: Real>(trace: &Trace<T>, layout: &Layout, b: usize) -> Result<Logits, ExplainError> {
    let logits = Logits::of(&trace.logits, layout.starts[b], layout.tokens(b).len());
    if logits.is_finite() {
        Ok(logits)
    } else {
        Err(ExplainError::NotFinite {
            what: "logits",
            precision: T::NAME,
        })
    }
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

/// A text that the caller named, wherever it stands in each window: (window, span, score), or why nowhere.
fn find(
    field: &'static str,
    text: &str,
    passage: &str,
    windows: &[Encoding],
    logits: &[Logits],
) -> Result<Vec<Scored>, ExplainError> {
    let mut found = Vec::new();
    if text.is_empty() {
        for (window, logits) in logits.iter().enumerate() {
            found.push(Scored {
                window,
                span: Span::NULL,
                score: logits.score(Span::NULL),
            });
        }
        return Ok(found);
    }
    let occurrences = occurrences(passage, text);
    if occurrences.is_empty() {
        return Err(ExplainError::NotInPassage {
            field,
            got: text.to_owned(),
        });
    }
    for (window, (encoding, logits)) in windows.iter().zip(logits).enumerate() {
        for &(start, end) in &occurrences {
            if let Some(span) = span_of(encoding, start, end) {
                found.push(Scored {
                    window,
                    span,
                    score: logits.score(span),
                });
            }
        }
    }
    if found.is_empty() {
        let max_tokens = windows.iter().map(|w| w.ids.len()).max().unwrap_or(0);
        return Err(ExplainError::NotInWindow {
            field,
            got: text.to_owned(),
            max_tokens,
        });
    }
    Ok(found)
}

/// The best of several places: the highest score, or for the null answer the window where the answer is sought first.
fn best_of(found: &[Scored], null_window: usize) -> Option<Scored> {
    if let Some(null) = found
        .iter()
        .find(|s| s.span == Span::NULL && s.window == null_window)
    {
        return Some(*null);
    }
    found
        .iter()
        .copied()
        .max_by(|a, b| a.score.total_cmp(&b.score))
}

/// Answer, window and target of one item; METHOD section 1.
fn choose(
    item: Item<'_>,
    windows: &[Encoding],
    logits: &[Logits],
    options: &Options,
) -> Result<Choice, ExplainError> {
    let text = Characters::new(item.passage);
    let decision =
        Decision::over(windows, logits, &options.answering).ok_or_else(|| empty(item.passage))?;
    // Each place where the answer stands, and the place that is explained.
    let (places, place) = match &options.answer {
        Some(given) => {
            let places = find("answer", given, item.passage, windows, logits)?;
            let place = best_of(&places, decision.null_window).unwrap_or(decision.best[0]);
            (places, place)
        }
        None => {
            let (window, span) = decision.explained();
            let place = Scored {
                window,
                span,
                score: logits[window].score(span),
            };
            let (start, end) = characters(&windows[window], span);
            let in_window = |(w, encoding): (usize, &Encoding)| {
                let span = if span == Span::NULL {
                    Some(span)
                } else {
                    span_of(encoding, start, end)
                };
                span.map(|span| Scored {
                    window: w,
                    span,
                    score: logits[w].score(span),
                })
            };
            (
                windows.iter().enumerate().filter_map(in_window).collect(),
                place,
            )
        }
    };
    let mut explained = place;
    let mut versus = None;
    let target = match options.target {
        TargetKind::Span => Target::Span(place.span),
        TargetKind::Start => Target::Start(place.span),
        TargetKind::End => Target::End(place.span),
        TargetKind::Margin if place.span != Span::NULL => Target::Margin(place.span),
        TargetKind::Margin => Target::Margin(best_of_window(
            &windows[place.window],
            &logits[place.window],
        )),
        TargetKind::Versus => {
            let other = options.versus.as_ref().ok_or(ExplainError::NoVersus)?;
            let others = find("versus", other, item.passage, windows, logits)?;
            let pair = |place: Scored| {
                let here: Vec<Scored> = others
                    .iter()
                    .copied()
                    .filter(|o| o.window == place.window)
                    .collect();
                Some((place, best_of(&here, place.window)?))
            };
            let elsewhere = || {
                let pairs: Vec<_> = places.iter().copied().filter_map(pair).collect();
                let best = best_of(
                    &pairs.iter().map(|p| p.0).collect::<Vec<_>>(),
                    decision.null_window,
                )?;
                pairs.into_iter().find(|pair| pair.0 == best)
            };
            let (answer, other_place) =
                pair(place)
                    .or_else(elsewhere)
                    .ok_or_else(|| ExplainError::FarApart {
                        answer: span_text(&windows[place.window], place.span, &text),
                        versus: other.clone(),
                        max_tokens: windows.iter().map(|w| w.ids.len()).max().unwrap_or(0),
                    })?;
            if answer.span == other_place.span {
                return Err(ExplainError::SameSpan { got: other.clone() });
            }
            explained = answer;
            versus = Some(Versus {
                text: span_text(&windows[answer.window], other_place.span, &text),
                start_token: other_place.span.start,
                end_token: other_place.span.end,
            });
            Target::Versus(answer.span, other_place.span)
        }
    };
    let score = if options.answer.is_some() {
        explained.score
    } else {
        decision.best[0].score
    };
    let answer = decision.answer(&windows[explained.window], explained.span, score, &text);
    Ok(Choice {
        decision,
        window: explained.window,
        answer,
        target,
        versus,
    })
}

/// A passage without a token has no windows.
fn empty(passage: &str) -> EncodeError {
    EncodeError::EmptyPassage {
        characters: passage.chars().count(),
    }
}

/// The tokens of the passage's characters `start..end`, where the window holds all of them.
fn span_of(encoding: &Encoding, start: usize, end: usize) -> Option<Span> {
    find_span(encoding, start, end).map(|(start, end)| Span { start, end })
}

fn span_text(encoding: &Encoding, span: Span, passage: &Characters<'_>) -> String {
    if span == Span::NULL {
        return String::new();
    }
    let (start, end) = characters(encoding, span);
    passage.slice(start, end).unwrap_or_default().to_owned()
}

fn assemble<T: Real>(
    checkpoint: &Checkpoint<T>,
    item: Item<'_>,
    windows: &[Encoding],
    choice: Choice,
    attribution: &Attribution<T>,
    options: &Options,
) -> Explanation {
    let config = &checkpoint.bert.config;
    let encoding = &windows[choice.window];
    let (preset, delta) = (options.preset, attribution.delta());
    let narrow = |tokens: &[Contribution], f: fn(&Contribution) -> f64| -> Vec<f32> {
        tokens.iter().map(|c| f(c) as f32).collect()
    };
    let sums = attribution.sums();
    let layers = attribution
        .cuts
        .iter()
        .zip(&sums[1..])
        .map(|(tokens, cut)| LayerScores {
            name: cut.cut.clone(),
            score: narrow(tokens, |c| c.score()),
            positive: narrow(tokens, |c| c.positive),
            negative: narrow(tokens, |c| c.negative),
            sum: cut.sum,
            error: cut.error,
        });
    // Behind the words and the L + 1 cuts: heads and MLP of each layer in turn.
    let blocks = &sums[attribution.cuts.len() + 1..];
    let by_token = attribution.heads.iter().map(|layer| {
        layer
            .iter()
            .map(|head| head.iter().map(|&c| c as f32).collect())
            .collect()
    });
    let narrow_rows = |rows: Vec<Vec<f64>>| {
        rows.into_iter()
            .map(|r| r.into_iter().map(|c| c as f32).collect())
            .collect()
    };
    let worst = sums.iter().max_by(|a, b| a.relative.total_cmp(&b.relative));
    let span = choice.target.span();
    Explanation {
        format: FORMAT.to_owned(),
        version: VERSION,
        model: ModelInfo {
            name: config.name.clone(),
            family: "bert".to_owned(),
            layers: config.layers,
            heads: config.heads,
            hidden: config.hidden,
        },
        method: Method {
            name: preset.method.to_owned(),
            rule: preset.name.to_owned(),
            reference: options.reference.name().to_owned(),
            references: options.reference.count(),
            rules: preset
                .rules
                .names()
                .map(|(op, rule)| (op.to_owned(), rule.to_owned()))
                .into(),
        },
        question: item.question.to_owned(),
        passage: item.passage.to_owned(),
        window: encoding.window.clone(),
        candidates: choice
            .decision
            .candidates(windows, &Characters::new(item.passage)),
        answer: choice.answer,
        tokens: encoding.tokens.clone(),
        target: spanlift_explanation::Target {
            kind: choice.target.kind(),
            start_token: span.start,
            end_token: span.end,
            versus: choice.versus,
            value: attribution.value,
            reference_value: attribution.reference_value,
            delta,
        },
        layers: layers.collect(),
        word_score: narrow(&attribution.words, |c| c.score()),
        word_sum: sums[0].sum,
        word_error: sums[0].error,
        heads: HeadScores {
            score: narrow_rows(attribution.head_scores()),
            by_token: by_token.collect(),
            residual: attribution
                .residual
                .iter()
                .map(|tokens| sum(tokens))
                .collect(),
            error: blocks.iter().step_by(2).map(|cut| cut.error).collect(),
        },
        mlp: attribution.mlp.iter().map(|tokens| sum(tokens)).collect(),
        mlp_residual: attribution
            .mlp_residual
            .iter()
            .map(|tokens| sum(tokens))
            .collect(),
        mlp_error: blocks
            .iter()
            .skip(1)
            .step_by(2)
            .map(|cut| cut.error)
            .collect(),
        top_edges: attribution.top_edges.iter().map(edge).collect(),
        completeness: Completeness {
            bound: T::BOUND,
            worst: worst.map_or(0.0, |cut| cut.relative),
            cut: worst.map_or_else(String::new, |cut| cut.cut.clone()),
            holds: worst.is_some_and(|cut| cut.relative <= T::BOUND),
        },
    }
}

fn edge(edge: &EdgeScore) -> Edge {
    Edge {
        layer: edge.layer + 1,
        head: edge.head + 1,
        query: edge.query,
        key: edge.key,
        pattern: edge.pattern as f32,
        content: edge.content as f32,
    }
}
