//! One question under several methods.

use std::time::{Duration, Instant};

use super::{ExplainError, Explained, Explainer, Item, Options};
use crate::attribute::rules::{Preset, RESCALE};
use crate::methods::Method;
use crate::ops::Real;

impl<T: Real> Explainer<T> {
    /// Explains one question by each of these methods, as [`explain`](Self::explain) does, and says how long each took. The passage is
    /// encoded and its answer found once, outside the time; the first method is run once more before it is timed, so that none
    /// pays for memory that the others find warm.
    ///
    /// # Errors
    ///
    /// As for [`explain`](Self::explain).
    pub fn compare(
        &self,
        item: Item<'_>,
        methods: &[(Method, Preset)],
        options: &Options,
        watch: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<(Explained<T>, Duration)>, ExplainError> {
        let of = |method, preset| Options {
            method,
            preset,
            ..options.clone()
        };
        // With references, which some of the methods need.
        let ready = self.prepare(0, item, &of(Method::Walk, RESCALE), watch)?;
        // A pack of one has one result.
        let run = |options| {
            self.explain_pack(vec![ready.clone()], &options)
                .swap_remove(0)
                .1
        };
        if let Some(&(method, preset)) = methods.first() {
            run(of(method, preset))?;
        }
        let timed = |&(method, preset): &(Method, Preset)| {
            let begun = Instant::now();
            let explained = run(of(method, preset))?;
            Ok((explained, begun.elapsed()))
        };
        methods.iter().map(timed).collect()
    }
}
