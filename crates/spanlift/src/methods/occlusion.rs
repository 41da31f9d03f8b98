//! Occlusion (Zeiler & Fergus 2014): what the target loses where a token's word embedding is the reference's.
//!
//! effect(g) = t(x) − t(x with the tokens of group g replaced). A token's score is the mean, over the groups that hold it, of the
//! effect's equal share among the tokens that the reference replaces: for tokens and words there is one group, for windows there are
//! several. A token that the reference leaves as it is scores 0.
//!
//! Shapes: words (S, E). One forward pass a group, several packed behind each other.

use std::ops::Range;

use super::{Found, Passes, Sequence};
use crate::attribute::Target;
use crate::model::{Encoder, Layout, logits};
use crate::ops::{Matrix, Real};

/// Groups are packed while they have no more tokens than this together.
const PACK_TOKENS: usize = 1024;

/// What is occluded at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A token.
    Token,
    /// All tokens of a word.
    Word,
    /// So many neighbouring tokens, at every place.
    Window(usize),
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Word => "word",
            Self::Window(_) => "window",
        }
    }

    /// The groups of S tokens.
    fn groups(self, tokens: usize, words: &[Range<usize>]) -> Vec<Range<usize>> {
        match self {
            Self::Token => (0..tokens).map(|i| i..i + 1).collect(),
            Self::Word => words.to_vec(),
            Self::Window(size) => {
                let size = size.clamp(1, tokens);
                (0..=tokens - size).map(|i| i..i + size).collect()
            }
        }
    }
}

/// Scores of the words: the mean over the references.
pub(crate) fn scores<T: Real>(sequence: &Sequence<'_, T>, unit: Unit) -> Found<T> {
    let tokens = sequence.ids.len();
    let mut scores = vec![0.0; tokens];
    let mut forward = 1;
    for reference in sequence.references {
        let replaced = |i: usize| sequence.words.row(i) != reference.row(i);
        // The members of each group that are not what the reference has there already.
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut held = vec![0_usize; tokens];
        for group in unit.groups(tokens, sequence.word_tokens) {
            let members: Vec<usize> = group.filter(|&i| replaced(i)).collect();
            if !members.is_empty() {
                members.iter().for_each(|&i| held[i] += 1);
                groups.push(members);
            }
        }
        forward += groups.len() + 1;
        let at_once = (PACK_TOKENS / tokens).max(1);
        for some in groups.chunks(at_once) {
            let occluded: Vec<Matrix<T>> = some
                .iter()
                .map(|members| {
                    let mut words = sequence.words.clone();
                    for &i in members {
                        words.row_mut(i).copy_from_slice(reference.row(i));
                    }
                    words
                })
                .collect();
            let values = values(
                sequence.encoder,
                sequence.segments,
                &occluded,
                sequence.target,
            );
            for (members, value) in some.iter().zip(values) {
                let share = (sequence.value - value) / members.len() as f64;
                for &i in members {
                    scores[i] += share / held[i] as f64;
                }
            }
        }
    }
    let references = sequence.references.len();
    scores
        .iter_mut()
        .for_each(|score| *score /= references as f64);
    Found {
        attribution: sequence.of_words(scores, sequence.reference_value()),
        passes: Passes {
            forward,
            backward: 0,
        },
        chosen: [].into(),
    }
}

/// The target's value on each of these inputs, word embeddings of one sequence (S, E).
fn values<T: Real>(
    encoder: &Encoder<T>,
    segments: &[u32],
    inputs: &[Matrix<T>],
    target: Target,
) -> Vec<f64> {
    let layout = Layout::new(inputs.iter().map(|_| segments));
    let mut data = Vec::new();
    for input in inputs {
        data.extend_from_slice(input.data());
    }
    let cols = encoder.embeddings.word_embeddings.cols();
    let logits = logits(
        encoder,
        &layout,
        Matrix::from_vec(layout.segments.len(), cols, data),
    );
    let starts = layout.starts.iter().take(inputs.len());
    starts.map(|&start| target.value(&logits, start)).collect()
}
