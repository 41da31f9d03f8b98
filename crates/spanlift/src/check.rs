//! Can this explanation be trusted? Masks the words with the highest scores and compares the target's drop with that
//! of random words: a small comprehensiveness test (DeYoung et al. 2020, ERASER) on one question.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use spanlift_explanation::{Part, Word, words};

use crate::explain::{ExplainError, Explained, Explainer};
use crate::ops::Real;
use crate::removal::{Removal, Worth};

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
        let explanation = &explained.explanation;
        let mut words = words(explanation);
        words.retain(|word| word.part != Part::Special);
        let count = WORDS.min(words.len());
        let kept = |masked: &[&Word]| {
            let mut kept = vec![true; explanation.tokens.len()];
            for word in masked {
                kept[word.tokens.clone()].fill(false);
            }
            kept
        };
        let mut ranked: Vec<&Word> = words.iter().collect();
        let score = |word: &Word| word.score(&explanation.word_score);
        ranked.sort_by(|a, b| score(b).total_cmp(&score(a)));
        ranked.truncate(count);
        let rng: &mut dyn Rng = &mut ChaCha8Rng::seed_from_u64(0);
        let draws = (0..DRAWS).map(|_| words.sample(rng, count).collect::<Vec<&Word>>());
        let mut masked: Vec<Vec<&Word>> = draws.collect();
        masked.insert(0, ranked.clone());
        let kept: Vec<Vec<bool>> = masked.iter().map(|masked| kept(masked)).collect();
        let worths = self.worth(explained, Removal::Mask, &kept)?;
        let drop = |worth: &Worth| explanation.target.value - worth.target;
        Ok(Check {
            of: words.len(),
            words: ranked.iter().map(|word| word.text.clone()).collect(),
            drop: drop(&worths[0]),
            draws: worths[1..].iter().map(drop).collect(),
        })
    }
}
