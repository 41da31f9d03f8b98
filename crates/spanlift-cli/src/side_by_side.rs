//! `spanlift explain --compare`: one question under every method.

use anyhow::{Context, ensure};

use spanlift::ops::Real;
use spanlift::{Explainer, Item, Options};
use spanlift_explanation::{Compared, Comparison};
use spanlift_render::comparison_terminal;

use crate::args::ExplainArgs;
use crate::explain::{completeness, gold_line, window_notes};
use crate::output::{self, Outcome};

/// Refuses a picture, before the work.
pub(crate) fn check(args: &ExplainArgs) -> anyhow::Result<()> {
    for path in &args.pictures.outputs {
        let ending = path.extension().unwrap_or_default();
        ensure!(
            ending.eq_ignore_ascii_case("json"),
            "--output: `{}`: expected a name in .json, the one format of --compare; a method of that file has an explanation, which \
             `spanlift render` draws",
            path.display()
        );
    }
    Ok(())
}

pub(crate) fn run<T: Real>(
    args: &ExplainArgs,
    explainer: &Explainer<T>,
    item: Item<'_>,
    options: &Options,
    gold: Option<&[String]>,
) -> anyhow::Result<Outcome> {
    let methods = args.method.settings.all(options);
    let found = explainer
        .compare(item, &methods, options, &mut output::watch_windows())
        .with_context(|| args.source())?;
    if let Some((first, _)) = found.first() {
        window_notes(args, explainer, first);
    }
    let methods = found.into_iter().map(|(explained, time)| Compared {
        label: explained.explanation.method.label().to_owned(),
        seconds: time.as_secs_f64(),
        forward: explained.passes.forward,
        backward: explained.passes.backward,
        explanation: explained.explanation,
    });
    let comparison = Comparison::new(methods.collect());
    let mut text = comparison_terminal(&comparison, &args.pictures.terminal());
    if let Some(gold) = gold {
        text.push_str(&gold_line(gold));
    }
    // Files first: a reader of standard output that goes away must not cost them.
    if !args.pictures.outputs.is_empty() {
        let json = comparison.to_json().context("--output")?;
        for path in &args.pictures.outputs {
            output::write_whole("--output", path, json.as_bytes())?;
        }
    }
    output::print(&text)?;
    let each = comparison.methods.iter();
    Ok(each.fold(Outcome::Done, |outcome, compared| {
        outcome.and(completeness(&compared.explanation))
    }))
}
