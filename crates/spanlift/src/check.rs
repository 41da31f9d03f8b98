//! Can this explanation be trusted? Masks the words with the highest scores and compares the target's drop with that
//! of random words: a small comprehensiveness test (DeYoung et al. 2020, ERASER) on one question.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use spanlift_explanation::{Part, Word, words};

use crate::attribute::ReferenceError;
use crate::explain::{ExplainError, Explained, Explainer};
use crate::ops::Real;

/// How many words are masked.
pub const WORDS: usize = 5;
/// How many random draws they are compared with.
pub const DRAWS: usize = 10;
/// How many of the draws the highest scores must beat.
pub const MUST_BEAT: usize = 9;

/// What masking did to the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The words with the highest scores, highest first.
    pub words: Vec<String>,
    /// How many words there are to draw from.
    pub of: usize,
    /// The target's value on the input minus its value with those words masked.
    pub drop: f64,
    /// The same for each random draw of as many words.
    pub draws: Vec<f64>,
}

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Masking the highest scores lowers the target, and by more than at least [`MUST_BEAT`] of the draws.
    Passed,
    /// They do not.
    Failed,
    /// Fewer than twice [`WORDS`] words: random draws would be nearly the same words.
    TooFewWords,
}

impl Check {
    /// How many of the draws the highest scores beat.
    #[must_use]
    pub fn beaten(&self) -> usize {
        self.draws.iter().filter(|&&draw| self.drop > draw).count()
    }

    /// What it says.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.of < 2 * WORDS {
            Verdict::TooFewWords
        } else if self.drop > 0.0 && self.beaten() >= MUST_BEAT {
            Verdict::Passed
        } else {
            Verdict::Failed
        }
    }
}

impl<T: Real> Explainer<T> {
    /// Masks the [`WORDS`] words of the highest scores at the word embeddings, and [`DRAWS`] times as many words drawn at
    /// random (by a fixed seed: the same question gives the same draws).
    ///
    /// # Errors
    ///
    /// Where the vocabulary has no `[MASK]`, or logits overflow.
    pub fn check(&self, explained: &Explained<T>) -> Result<Check, ExplainError> {
        let mask = self.checkpoint().vocabulary.mask;
        let mask = mask.ok_or(ReferenceError::NoToken {
            reference: "check",
            token: "[MASK]",
        })?;
        let explanation = &explained.explanation;
        let mut words = words(explanation);
        words.retain(|word| word.part != Part::Special);
        let count = WORDS.min(words.len());
        let drop = |masked: &[&Word]| {
            let mut ids = explained.encoding.ids.clone();
            for word in masked {
                ids[word.tokens.clone()].fill(mask);
            }
            let value = self.value_at(explained.target, &explained.encoding, &ids)?;
            Ok::<f64, ExplainError>(explanation.target.value - value)
        };
        let mut ranked: Vec<&Word> = words.iter().collect();
        let score = |word: &Word| word.score(&explanation.word_score);
        ranked.sort_by(|a, b| score(b).total_cmp(&score(a)));
        ranked.truncate(count);
        let rng: &mut dyn Rng = &mut ChaCha8Rng::seed_from_u64(0);
        let draws = (0..DRAWS).map(|_| {
            let drawn: Vec<&Word> = words.sample(rng, count).collect();
            drop(&drawn)
        });
        Ok(Check {
            of: words.len(),
            words: ranked.iter().map(|word| word.text.clone()).collect(),
            drop: drop(&ranked)?,
            draws: draws.collect::<Result<_, _>>()?,
        })
    }
}
