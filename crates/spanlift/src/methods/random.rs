//! Random scores: the floor that a method must lie above.
//!
//! Each token's score is drawn from −1 to 1, all alike and independent, and scaled to nothing. The draws belong to the seed and the
//! tokens, so that the same question gets the same scores and no two questions share theirs.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Found, Passes, Sequence, setting};
use crate::ops::Real;

/// Scores of the words.
pub(crate) fn scores<T: Real>(sequence: &Sequence<'_, T>, seed: u64) -> Found<T> {
    let mut rng = ChaCha8Rng::from_seed(mixed(seed, sequence.ids));
    let draws = sequence.ids.iter().map(|_| rng.random_range(-1.0..1.0));
    Found {
        attribution: sequence.of_words(draws.collect(), 0.0),
        passes: Passes {
            forward: 1,
            backward: 0,
        },
        settings: [setting("seed", seed)].into(),
    }
}

/// Seed and ids in 32 bytes: four FNV-1a sums, each begun elsewhere (<https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>).
fn mixed(seed: u64, ids: &[u32]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (lane, part) in bytes.chunks_exact_mut(8).enumerate() {
        let text = ids.iter().flat_map(|id| id.to_le_bytes());
        let text = seed
            .to_le_bytes()
            .into_iter()
            .chain([lane as u8])
            .chain(text);
        let sum = text.fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        part.copy_from_slice(&sum.to_le_bytes());
    }
    bytes
}
