//! Questions as a model is trained on them: windows, each with the place of its answer.
//!
//! A window that does not hold the whole of the first gold answer is trained to say so: start and end at `[CLS]` (Devlin et al.
//! 2019, section 4.3).

use rayon::prelude::*;
use spanlift::encode::{Vocabulary, find_span};
use spanlift_squad::Question;

use crate::TrainError;

/// One window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Rows of the word embedding table; (S).
    pub ids: Box<[u32]>,
    /// Rows of the token type table; (S).
    pub segments: Box<[u32]>,
    /// Positions of the answer's first and last token; 0 and 0 for no answer.
    pub answer: [usize; 2],
}

/// How passages are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The longest window, in tokens.
    pub max_tokens: usize,
    /// Passage tokens from the start of one window to the next.
    pub stride: usize,
}

/// The windows of all questions, in their order.
///
/// # Errors
///
/// [`TrainError::Encode`] for the first question that cannot be encoded.
pub fn features(
    questions: &[Question],
    vocabulary: &Vocabulary,
    cut: Cut,
) -> Result<Vec<Feature>, TrainError> {
    let of = |question: &Question| {
        let made = one(question, vocabulary, cut);
        made.map_err(|source| TrainError::Encode {
            what: "question",
            id: question.id.clone(),
            source,
        })
    };
    let made: Vec<Result<Vec<Feature>, TrainError>> = questions.par_iter().map(of).collect();
    let made: Vec<Vec<Feature>> = made.into_iter().collect::<Result<_, _>>()?;
    Ok(made.into_iter().flatten().collect())
}

fn one(
    question: &Question,
    vocabulary: &Vocabulary,
    cut: Cut,
) -> Result<Vec<Feature>, spanlift::encode::EncodeError> {
    let gold = question.answers.first().map(|gold| {
        let end = gold.start + gold.text.chars().count();
        (gold.start, end)
    });
    let windows = vocabulary
        .encode(&question.question, &question.context)?
        .windows(vocabulary, cut.max_tokens, cut.stride)?;
    let of = |window: spanlift::encode::Encoding| {
        let place = gold.and_then(|(start, end)| find_span(&window, start, end));
        let (first, last) = place.unwrap_or_default();
        Feature {
            ids: window.ids.into(),
            segments: window.segments.into(),
            answer: [first, last],
        }
    };
    Ok(windows.iter().map(of).collect())
}
