//! The readers under test, a file a kind.

mod checkpoint;
mod explanation;
mod files;
mod squad;
mod store;
mod tokenizer;

use crate::run::Target;

/// All targets, in the order in which they are run.
#[must_use]
pub fn all() -> Vec<Target> {
    let mut all = checkpoint::targets();
    all.extend(tokenizer::targets());
    all.extend(squad::targets());
    all.extend(explanation::targets());
    all.extend(store::targets());
    all
}
