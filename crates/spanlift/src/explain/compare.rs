//! One question under several methods.

use std::time::{Duration, Instant};

use super::{ExplainError, Explained, Explainer, Item, Options};
use crate::attribute::Reference;
use crate::attribute::rules::{Preset, RESCALE};
use crate::methods::Method;
use crate::ops::Real;

/// One of the ways to score that are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// How the scores are made.
    pub method: Method,
    /// The rules of the walk, for [`Method::Walk`].
    pub preset: Preset,
    /// What the input is compared with, where not with the reference that all share.
    pub reference: Option<Reference>,
}

impl Scored {
    /// These options, but for what it has of its own.
    #[must_use]
    pub fn options(&self, options: &Options) -> Options {
        Options {
            method: self.method,
            preset: self.preset,
            reference: self
                .reference
                .as_ref()
                .unwrap_or(&options.reference)
                .clone(),
            ..options.clone()
        }
    }
}

impl<T: Real> Explainer<T> {
    /// Explains one question by each of these methods, as [`explain`](Self::explain) does, and says how long each took. The passage is
    /// encoded, its answer found and the references made once, outside the time; the first method is run once more before it is timed,
    /// so that none pays for memory that the others find warm.
    ///
    /// # Errors
    ///
    /// As for [`explain`](Self::explain).
    pub fn compare(
        &self,
        item: Item<'_>,
        methods: &[Scored],
        options: &Options,
        watch: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<(Explained<T>, Duration)>, ExplainError> {
        // With references, which some of the methods need.
        let walk = Options {
            method: Method::Walk,
            preset: RESCALE,
            ..options.clone()
        };
        let shared = self.prepare(0, item, &walk, watch)?;
        let mut warm = false;
        let mut timed = |scored: &Scored| {
            let options = scored.options(options);
            let mut ready = shared.clone();
            if scored.reference.is_some() {
                ready.references.clear();
                self.add_references(&mut ready, &options)?;
            }
            // A pack of one has one result.
            let run = || {
                self.explain_pack(vec![ready.clone()], &options)
                    .swap_remove(0)
                    .1
            };
            if !warm {
                run()?;
                warm = true;
            }
            let begun = Instant::now();
            let explained = run()?;
            Ok((explained, begun.elapsed()))
        };
        methods.iter().map(&mut timed).collect()
    }
}
