//! What the explained answer is worth to the model when words are taken away: what faithfulness is measured by.
//!
//! Two ways to take tokens away, since the choice matters: `[MASK]` stands in their place, or they are gone and the rest moves up. Special
//! tokens always stay, and where tokens are gone the target's own stay too: without them there would be no target.

use crate::attribute::{ReferenceError, Span, Target};
use crate::explain::{ExplainError, Explained, Explainer};
use crate::model::Layout;
use crate::ops::{Real, embedding};
use spanlift_explanation::Part;

/// Inputs are packed while they have no more tokens than this together.
const PACK_TOKENS: usize = 1024;

/// How tokens are taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Removal {
    /// `[MASK]` stands in their place.
    Mask,
    /// They are gone.
    Delete,
}

/// What the explained answer is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// The target.
    pub target: f64,
    /// The probability of the target's span: softmax of the start logits at its start times softmax of the end logits at its
    /// end, over the tokens that there are.
    pub probability: f64,
}

impl Removal {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Mask, Self::Delete];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::Delete => "delete",
        }
    }
}

impl<T: Real> Explainer<T> {
    /// The worth of the explained answer on inputs that keep some tokens and lose the others; (S) each, true to keep. Special tokens are kept
    /// whatever it says, and under [`Removal::Delete`] those of the target.
    ///
    /// # Errors
    ///
    /// Under [`Removal::Mask`] where the vocabulary has no `[MASK]`; where logits overflow.
    ///
    /// # Panics
    ///
    /// Where a set is not of S tokens.
    pub fn worth(
        &self,
        explained: &Explained<T>,
        removal: Removal,
        kept: &[Vec<bool>],
    ) -> Result<Vec<Worth>, ExplainError> {
        let input = Input::new(self, explained, removal)?;
        let at_once = (PACK_TOKENS / input.ids.len()).max(1);
        let mut worths = Vec::with_capacity(kept.len());
        for some in kept.chunks(at_once) {
            let altered: Vec<Altered> = some.iter().map(|kept| input.without(kept)).collect();
            worths.extend(self.worth_of(&altered)?);
        }
        Ok(worths)
    }

    fn worth_of(&self, altered: &[Altered]) -> Result<Vec<Worth>, ExplainError> {
        let layout = Layout::new(altered.iter().map(|input| &*input.segments));
        let ids: Vec<u32> = altered
            .iter()
            .flat_map(|input| input.ids.iter().copied())
            .collect();
        let encoder = &self.checkpoint().encoder;
        let logits = crate::model::logits(
            encoder,
            &layout,
            embedding::words(&encoder.embeddings, &ids),
        );
        let logits = &logits;
        let worth = |(b, input): (usize, &Altered)| {
            let (first, tokens) = (layout.starts[b], input.ids.len());
            let column = |c: usize| (first..first + tokens).map(move |i| logits.row(i)[c].f64());
            if column(0).chain(column(1)).any(|logit| !logit.is_finite()) {
                return Err(ExplainError::NotFinite {
                    what: "logits",
                    precision: T::NAME,
                });
            }
            let Span { start, end } = input.target.span();
            let softmax = |c: usize, at: usize| {
                let largest = column(c).fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = column(c).map(|logit| (logit - largest).exp()).sum();
                (logits.row(first + at)[c].f64() - largest).exp() / sum
            };
            Ok(Worth {
                target: input.target.value(logits, first),
                probability: softmax(0, start) * softmax(1, end),
            })
        };
        altered.iter().enumerate().map(worth).collect()
    }
}

/// The explained window, and how tokens leave it.
struct Input<'a> {
    ids: &'a [u32],
    segments: &'a [u32],
    /// True where a token stays whatever is asked.
    stays: Vec<bool>,
    target: Target,
    /// What stands in the place of a token; none where it is gone.
    mask: Option<u32>,
}

/// What is left of it.
struct Altered {
    ids: Vec<u32>,
    segments: Vec<u32>,
    target: Target,
}

impl<'a> Input<'a> {
    fn new<T: Real>(
        explainer: &Explainer<T>,
        explained: &'a Explained<T>,
        removal: Removal,
    ) -> Result<Self, ExplainError> {
        let encoding = &explained.encoding;
        let mut stays: Vec<bool> = encoding
            .tokens
            .iter()
            .map(|token| token.part == Part::Special)
            .collect();
        let mask = match removal {
            Removal::Mask => {
                let mask = explainer.checkpoint().vocabulary.mask;
                let none = ReferenceError::NoToken {
                    reference: "removal".to_owned(),
                    token: "[MASK]",
                };
                Some(mask.ok_or(none)?)
            }
            Removal::Delete => {
                for span in explained.target.spans() {
                    stays[span.start..=span.end].fill(true);
                }
                None
            }
        };
        Ok(Self {
            ids: &encoding.ids,
            segments: &encoding.segments,
            stays,
            target: explained.target,
            mask,
        })
    }

    fn without(&self, kept: &[bool]) -> Altered {
        assert_eq!(kept.len(), self.ids.len(), "a set of S tokens");
        let kept = |i: usize| kept[i] || self.stays[i];
        let tokens = 0..self.ids.len();
        if let Some(mask) = self.mask {
            let ids = tokens.map(|i| if kept(i) { self.ids[i] } else { mask });
            return Altered {
                ids: ids.collect(),
                segments: self.segments.to_vec(),
                target: self.target,
            };
        }
        let left: Vec<usize> = tokens.filter(|&i| kept(i)).collect();
        // A kept token's new place is how many are kept before it.
        let place = |i: usize| left.partition_point(|&token| token < i);
        Altered {
            ids: left.iter().map(|&i| self.ids[i]).collect(),
            segments: left.iter().map(|&i| self.segments[i]).collect(),
            target: self.target.moved(place),
        }
    }
}
