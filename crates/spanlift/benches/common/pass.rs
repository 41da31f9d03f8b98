//! One explanation of packed questions: a forward pass of inputs and references, and a walk, checked or timed.

use std::time::Instant;

use spanlift::attribute::rules::RESCALE;
use spanlift::attribute::{Attribution, KeepEdges, Span, Target, attribute, target_tokens};
use spanlift::model::{self, Encoder, Keep, Layout, forward, forward_pruned};
use spanlift::ops::{Matrix, Real, embedding};

/// What one sequence is explained from.
pub(crate) struct Question {
    pub(crate) ids: Vec<u32>,
    pub(crate) reference: Vec<u32>,
    pub(crate) segments: Vec<u32>,
    pub(crate) span: Span,
}

impl Question {
    /// `s` words of BERT's vocabulary between `[CLS]` and `[SEP]`, all `[MASK]` in the reference.
    pub(crate) fn of_length(s: usize) -> Self {
        let between = |word: &dyn Fn(usize) -> u32| {
            let id = |i| match i {
                0 => 101,
                13 => 102,
                i if i + 1 == s => 102,
                i => word(i),
            };
            (0..s).map(id).collect()
        };
        Self {
            ids: between(&|i| 1000 + (i as u32 * 7919) % 20000),
            reference: between(&|_| 103),
            segments: (0..s).map(|i| u32::from(i > 13)).collect(),
            span: Span {
                start: s / 2,
                end: s / 2 + 3,
            },
        }
    }
}

/// What was found, and the seconds it took.
pub(crate) struct Pass {
    pub(crate) found: Vec<Attribution<f32>>,
    /// The forward pass of inputs and references.
    pub(crate) forwards: f64,
    pub(crate) walk: f64,
    /// From the ids to the scores, the activations left to the next.
    pub(crate) total: f64,
}

/// Keeping all of the forward pass.
pub(crate) fn explain(encoder: &Encoder<f32>, questions: &[Question]) -> Pass {
    run(encoder, questions, Keep::All)
}

/// Keeping the layers' inputs alone.
pub(crate) fn explain_lean(encoder: &Encoder<f32>, questions: &[Question]) -> Pass {
    run(encoder, questions, Keep::Inputs)
}

/// As an [`Explainer`](spanlift::Explainer) does: the input's last layer of all tokens, where an answer would be looked for, and the
/// reference's of the target's.
fn run(encoder: &Encoder<f32>, questions: &[Question], keep: Keep) -> Pass {
    let layout = Layout::new(questions.iter().map(|question| &question.segments[..]));
    let targets: Vec<_> = questions.iter().map(|q| Target::Span(q.span)).collect();
    let parts: [fn(&Question) -> &[u32]; 2] =
        [|question| &question.ids, |question| &question.reference];
    let ids: Vec<u32> = parts
        .into_iter()
        .flat_map(|part| questions.iter().flat_map(part).copied())
        .collect();
    let start = Instant::now();
    let (twice, many) = (layout.twice(), questions.len());
    let words = embedding::words(&encoder.embeddings, &ids);
    let trace = forward_pruned(encoder, &twice, words, keep, many, |_| {
        target_tokens(&layout, &targets)
    });
    let forwards = start.elapsed().as_secs_f64();
    let found = attribute(
        encoder,
        &layout,
        trace.part(0..many),
        trace.part(many..2 * many),
        &targets,
        RESCALE.rules,
        KeepEdges::Strongest,
    );
    let walk = start.elapsed().as_secs_f64() - forwards;
    trace.recycle();
    Pass {
        found,
        forwards,
        walk,
        total: start.elapsed().as_secs_f64(),
    }
}

/// Logits on the input and on the reference, of whole passes; (S, 2).
pub(crate) fn logits(encoder: &Encoder<f32>, question: &Question) -> [Matrix<f32>; 2] {
    let layout = Layout::new([&question.segments[..]]);
    [&question.ids, &question.reference].map(|ids| {
        let words = embedding::words(&encoder.embeddings, ids);
        model::logits(encoder, &layout, words)
    })
}

/// Seconds of one forward pass on the input.
pub(crate) fn forward_alone(encoder: &Encoder<f32>, question: &Question) -> f64 {
    let layout = Layout::new([&question.segments[..]]);
    let start = Instant::now();
    let words = embedding::words(&encoder.embeddings, &question.ids);
    forward(encoder, &layout, words).recycle();
    start.elapsed().as_secs_f64()
}

/// The worst relative error of all sums.
///
/// # Panics
///
/// Where it is above the bound.
pub(crate) fn checked(found: &[Attribution<f32>]) -> f64 {
    let sums = found.iter().flat_map(Attribution::sums);
    let worst = sums.map(|cut| cut.relative).fold(0.0, f64::max);
    // Not a number must fail as well.
    assert!(worst <= f32::BOUND, "the sums do not hold: {worst}");
    assert!(
        found.iter().all(Attribution::is_finite),
        "scores that are not finite"
    );
    worst
}
