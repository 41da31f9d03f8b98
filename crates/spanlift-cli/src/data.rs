//! The questions of a data set, for the commands that go through one.

use std::path::Path;

use anyhow::{Context, ensure};

use spanlift_squad::{Dataset, Question, Skipped};

use crate::output::{self, count};

/// All questions of the file, and how many bad records were passed over; says which.
pub(crate) fn questions(
    option: &str,
    data: &Path,
    skip_bad: bool,
) -> anyhow::Result<(Vec<Question>, usize)> {
    let name = data.display();
    let context = || format!("{option}: `{name}`");
    let (Dataset { questions, .. }, skipped) = if skip_bad {
        spanlift_squad::read_skipping(data).with_context(context)?
    } else {
        let dataset = spanlift_squad::read(data).with_context(context)?;
        (dataset, Skipped::default())
    };
    for error in &skipped.first {
        output::warn(&format!("skipped: {error}"));
    }
    if skipped.count > skipped.first.len() {
        let more = skipped.count - skipped.first.len();
        output::warn(&format!("skipped: {} more", count(more, "bad record")));
    }
    if skipped.count > 0 {
        output::note(&format!(
            "`{name}`: {} skipped",
            count(skipped.count, "bad record")
        ));
    }
    ensure!(
        !questions.is_empty(),
        "{option}: `{name}`: expected questions, got none"
    );
    Ok((questions, skipped.count))
}
