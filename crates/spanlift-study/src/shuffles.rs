//! Profiles of chance: the same maps, with roles that mean nothing.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use spanlift_store::Record;

use crate::StudyError;
use crate::cluster::{Features, generator};
use crate::profile::Profile;

/// How often roles are dealt.
pub const DRAWS: usize = 20;

/// Questions, at most, that roles are dealt of: as many as each draw of chance is clustered of.
const MOST: usize = 2_000;

/// Layer features under roles dealt anew, [`DRAWS`] times, of a sample of a run's questions: every one of the first 2,000, and then
/// each question as likely as any other (Vitter 1985, algorithm R).
#[derive(Clone, Debug)]
pub struct Shuffles {
    seed: u64,
    rng: ChaCha8Rng,
    seen: usize,
    /// By question, then by draw.
    kept: Vec<Vec<Vec<f32>>>,
}

impl Shuffles {
    /// Of nothing yet. `seed` is what roles are dealt and questions are drawn by.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            rng: generator(seed, 0),
            seen: 0,
            kept: Vec::new(),
        }
    }

    /// Looks at more questions, in the run's order.
    pub fn extend(&mut self, records: &[&Record]) {
        let mut places = Vec::new();
        for (i, _) in records.iter().enumerate() {
            let place = if self.seen < MOST {
                self.seen
            } else {
                self.rng.random_range(0..=self.seen)
            };
            self.seen += 1;
            if place < MOST {
                places.push((place, i));
            }
        }
        let seed = self.seed;
        let found: Vec<(usize, Vec<Vec<f32>>)> = places
            .into_par_iter()
            .map(|(place, i)| (place, Profile::shuffled_features(records[i], DRAWS, seed)))
            .collect();
        for (place, features) in found {
            match self.kept.get_mut(place) {
                Some(kept) => *kept = features,
                None => self.kept.push(features),
            }
        }
    }

    /// A matrix for each draw, with these columns; none where there is no question.
    ///
    /// # Errors
    ///
    /// Where the questions are of models of different depth.
    pub fn features(&self, names: &[String]) -> Result<Vec<Features>, StudyError> {
        let draw = |draw: usize| {
            let rows = self.kept.iter().map(|of| of[draw].iter());
            let rows: Vec<Vec<f64>> = rows.map(|row| row.map(|&x| x.into()).collect()).collect();
            Features::new(names.to_vec(), &rows)
        };
        if self.kept.is_empty() {
            return Ok(Vec::new());
        }
        (0..DRAWS).into_par_iter().map(draw).collect()
    }
}
