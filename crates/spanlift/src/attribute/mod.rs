//! From two passes to scores: targets, references, rules, one walk, and the audit of its sums.

mod edges;
mod reference;
pub mod rules;
mod scores;
mod target;

pub use edges::{EdgeScore, KeepEdges};
pub use reference::{Reference, ReferenceError};
pub use scores::{Attribution, CutSum, absolute, sum};
pub use target::{Span, Target};

use crate::model::{Encoder, Layout, Part, backward, tokens_that_matter};
use crate::ops::{Matrix, Real};
use edges::FoundEdges;
use rules::Rules;

/// How many of the strongest edges are kept.
pub const TOP_EDGES: usize = 200;

/// The tokens of each sequence that its target is of; they rise.
///
/// # Panics
///
/// Where a target's token lies outside its sequence.
#[must_use]
pub fn target_tokens(layout: &Layout, targets: &[Target]) -> Vec<Vec<usize>> {
    tokens_that_matter(layout, &m_logits::<f64>(layout, targets))
}

/// m of the logits; (N, 2).
fn m_logits<T: Real>(layout: &Layout, targets: &[Target]) -> Matrix<T> {
    let mut m_logits = Matrix::zeros(layout.segments.len(), 2);
    for (b, target) in targets.iter().enumerate() {
        assert!(
            target.last_token() < layout.tokens(b).len(),
            "{target:?} in a sequence of {} tokens",
            layout.tokens(b).len()
        );
        target.add_multipliers(&mut m_logits, layout.starts[b]);
    }
    m_logits
}

/// One walk over packed sequences, each with its own target; METHOD section 6.
///
/// # Panics
///
/// Where there is not one target a sequence, or a target's token lies outside its sequence.
pub fn attribute<'a, T: Real>(
    encoder: &Encoder<T>,
    layout: &Layout,
    input: impl Into<Part<'a, T>>,
    reference: impl Into<Part<'a, T>>,
    targets: &[Target],
    rules: Rules,
    keep: KeepEdges,
) -> Vec<Attribution<T>> {
    assert_eq!(targets.len(), layout.sequences(), "one target a sequence");
    let (input, reference) = (input.into(), reference.into());
    let m_logits = m_logits(layout, targets);
    let mut walk = backward(
        encoder,
        layout,
        [&input, &reference],
        rules,
        &m_logits,
        |place| FoundEdges::new(place, layout.tokens(place.sequence).len(), keep, TOP_EDGES),
    );
    let heads = encoder.config.heads;
    let split = |(b, target): (usize, &Target)| {
        let values = [&input, &reference]
            .map(|part| target.value(&part.trace().logits, part.first() + layout.starts[b]));
        Attribution::split(
            &mut walk,
            layout,
            b,
            heads,
            (values[0], values[1]),
            TOP_EDGES,
        )
    };
    targets.iter().enumerate().map(split).collect()
}
