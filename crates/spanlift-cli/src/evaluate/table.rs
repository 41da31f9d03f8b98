//! The figures of an evaluation as a table.

use std::fmt::Write;
use std::path::Path;

use spanlift_squad::{Evaluation, Part};

use crate::output::count;

/// A row for all questions, for those with and without an answer, and for each type; and the best thresholds.
pub(super) fn table(data: &Path, by: &str, evaluation: &Evaluation) -> String {
    let mut text = String::new();
    let questions = count(evaluation.all.total, "question");
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{questions} of {}, {by}\n", data.display());
    let _ = writeln!(
        text,
        "{:<12} {:>8} {:>8} {:>10}",
        "", "exact", "F1", "questions"
    );
    let mut row = |name: &str, part: &Part| {
        let Part { exact, f1, total } = part;
        let _ = writeln!(text, "{name:<12} {exact:>8.2} {f1:>8.2} {total:>10}");
    };
    row("all", &evaluation.all);
    let parts = [
        ("answerable", &evaluation.has_answer),
        ("unanswerable", &evaluation.no_answer),
    ];
    for (name, part) in parts {
        part.iter().for_each(|part| row(name, part));
    }
    for (kind, part) in &evaluation.kinds {
        row(kind.name(), part);
    }
    if let Some(best) = &evaluation.best {
        let _ = writeln!(
            text,
            "\nbest exact {:.2} at threshold {:+.4}, best F1 {:.2} at threshold {:+.4}",
            best.exact, best.exact_thresh, best.f1, best.f1_thresh
        );
    }
    text
}
