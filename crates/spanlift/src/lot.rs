//! Draws that belong to a number and to what is drawn for: the same for the same two, whatever else is drawn before or beside.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The generator of a seed and some bytes. Its key is both in 32 bytes: four FNV-1a sums, each begun elsewhere
/// (<https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>).
#[must_use]
pub fn generator(seed: u64, of: impl Iterator<Item = u8> + Clone) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (lane, part) in key.chunks_exact_mut(8).enumerate() {
        let begin = seed.to_le_bytes().into_iter().chain([lane as u8]);
        let bytes = begin.chain(of.clone());
        let sum = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        part.copy_from_slice(&sum.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
