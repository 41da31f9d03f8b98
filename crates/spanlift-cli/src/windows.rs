//! `spanlift explain --all-windows`: every window of a passage, and the document that they make.

use std::path::Path;

use anyhow::{Context, ensure};

use spanlift::ops::Real;
use spanlift::{Explainer, Item, Options};
use spanlift_explanation::WindowsWriter;
use spanlift_render::{WindowLine, windows_terminal};

use crate::args::ExplainArgs;
use crate::explain::{gold_line, window_notes};
use crate::output::{self, Outcome, WholeFiles};

/// Refuses a picture, before the work.
pub(crate) fn check(args: &ExplainArgs) -> anyhow::Result<()> {
    for path in &args.pictures.outputs {
        let ending = path.extension().unwrap_or_default();
        ensure!(
            ending.eq_ignore_ascii_case("json"),
            "--output: `{}`: expected a name in .json, the one format of --all-windows; a window of that file is an explanation, \
             which `spanlift render` draws",
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
    let windows = explainer
        .explain_windows(item, options, &mut output::watch_windows())
        .with_context(|| args.source())?;
    let answer_window = windows.answer_window();
    let paths: Vec<&Path> = args.pictures.outputs.iter().map(AsRef::as_ref).collect();
    let mut files = WholeFiles::new("--output", &paths)?;
    let mut writer = WindowsWriter::new(&mut files, answer_window).context("--output")?;
    let bar = output::progress(windows.windows(), "windows");
    let mut lines = Vec::with_capacity(windows.windows());
    let mut answer = None;
    for (index, explained) in windows.enumerate() {
        let explained =
            explained.with_context(|| format!("window {} of {}", index + 1, args.source()))?;
        let explanation = &explained.explanation;
        let pushed = writer.push(explanation, explained.encoding.passage_first);
        pushed.context("--output")?;
        lines.push(WindowLine::of(explanation));
        if index == answer_window {
            answer = Some(explained);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let document = writer.finish().context("--output")?;
    let answer = answer.context("--all-windows: the answer's window was not explained")?;
    window_notes(args, explainer, &answer);
    let explanation = &answer.explanation;
    let mut text = windows_terminal(explanation, &lines, &document, &args.pictures.terminal());
    if let Some(gold) = gold {
        text.push_str(&gold_line(gold));
    }
    // Files first: a reader of standard output that goes away must not cost them.
    files.finish()?;
    output::print(&text)?;
    let broken = lines.iter().filter(|line| !line.holds).count();
    if broken == 0 {
        return Ok(Outcome::Done);
    }
    output::warn(&format!(
        "the scores of {broken} of {} windows do not add up; do not trust these; try --precision f64",
        lines.len()
    ));
    Ok(Outcome::Negative)
}
