//! Random scores: the floor that a method must lie above.
//!
//! Each token's score is drawn from −1 to 1, all alike and independent, and scaled to nothing. The draws belong to the seed and the
//! tokens, so that the same question gets the same scores and no two questions share theirs.

use rand::RngExt;

use super::{Found, Passes, Sequence};
use crate::lot;
use crate::ops::Real;

/// Scores of the words.
pub(crate) fn scores<T: Real>(sequence: &Sequence<'_, T>, seed: u64) -> Found<T> {
    let ids = sequence.ids.iter().flat_map(|id| id.to_le_bytes());
    let mut rng = lot::generator(seed, ids);
    let draws = sequence.ids.iter().map(|_| rng.random_range(-1.0..1.0));
    Found {
        attribution: sequence.of_words(draws.collect(), 0.0),
        passes: Passes {
            forward: 1,
            backward: 0,
        },
        chosen: [].into(),
    }
}
