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

use crate::model::{Encoder, Layout, Part, backward};
use crate::ops::{Matrix, Real};
use edges::FoundEdges;
use rules::Rules;

/// How many of the strongest edges are kept.
pub const TOP_EDGES: usize = 200;

/// The tokens of each sequence that its target is of, in rising order: what the last layer is needed for.
///
/// # Panics
///
/// Where there is not one target a sequence, or a target's token lies outside its sequence.
#[must_use]
pub fn target_tokens(layout: &Layout, targets: &[Target]) -> Vec<Vec<usize>> {
    check_targets(layout, targets);
    targets.iter().map(|target| target.tokens()).collect()
}

/// # Panics
///
/// Where there is not one target a sequence, or a target's token lies outside its sequence.
fn check_targets(layout: &Layout, targets: &[Target]) {
    assert_eq!(targets.len(), layout.sequences(), "one target a sequence");
    for (b, target) in targets.iter().enumerate() {
        assert!(
            target.last_token() < layout.tokens(b).len(),
            "{target:?} in a sequence of {} tokens",
            layout.tokens(b).len()
        );
    }
}

/// One walk over packed sequences, each with its own target; METHOD section 6.
///
/// # Panics
///
/// Where there is not one target a sequence, or a target's token lies outside its sequence; and where the last layer of a pass was
/// computed for other tokens than [`target_tokens`] alone.
pub fn attribute<'a, T: Real>(
    encoder: &Encoder<T>,
    layout: &Layout,
    input: impl Into<Part<'a, T>>,
    reference: impl Into<Part<'a, T>>,
    targets: &[Target],
    rules: Rules,
    keep: KeepEdges,
) -> Vec<Attribution<T>> {
    check_targets(layout, targets);
    let (input, reference) = (input.into(), reference.into());
    let mut m_logits = Matrix::zeros(layout.segments.len(), 2);
    for (target, &start) in targets.iter().zip(&layout.starts) {
        target.add_multipliers(&mut m_logits, start);
    }
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
