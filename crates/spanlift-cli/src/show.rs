//! `spanlift show`: a question of a run, rendered as `explain` does, without the model.

use std::fmt::Write;

use anyhow::{Context, bail, ensure};

use spanlift_render::terminal;
use spanlift_store::{Found, Record, Run};

use crate::args::ShowArgs;
use crate::output::{self, Outcome, count};

pub(crate) fn run(args: &ShowArgs) -> anyhow::Result<Outcome> {
    let pictures = &args.pictures;
    crate::render::check(pictures)?;
    let targets = pictures.outputs.iter();
    let targets: Vec<_> = targets.map(|path| ("--output", path.as_path())).collect();
    output::check_targets(&targets, &[])?;
    let name = args.run.display();
    let run = Run::open(&args.run).with_context(|| format!("`{name}` is no run"))?;
    ensure!(
        run.plan_of().keep.head_tokens,
        "`{name}` was made with --no-head-tokens: an explanation needs the heads' scores by token"
    );
    let record = find(args, &run)?;
    let explanation = &record.explanation;
    // A picture says whether the sums hold: not by the word of a file that its own scores contradict.
    explanation.check_sums().with_context(|| {
        format!(
            "question `{}` of `{name}` contradicts itself, and is not drawn",
            args.id
        )
    })?;
    let mut text = terminal(explanation, &pictures.terminal());
    let mut gold: Vec<String> = record.gold.iter().map(|gold| gold.text.clone()).collect();
    gold.dedup();
    text.push_str(&crate::explain::gold_line(&gold));
    // Files first: a reader of standard output that goes away must not cost them.
    crate::render::write(pictures, explanation)?;
    output::print(&text)?;
    Ok(crate::explain::completeness(explanation))
}

fn find(args: &ShowArgs, run: &Run) -> anyhow::Result<Record> {
    let (name, id) = (args.run.display(), &args.id);
    match run.find(id).with_context(|| format!("`{name}`"))? {
        Found::Record(found) => Ok(found.record),
        Found::Skipped(skipped) => {
            bail!(
                "question `{id}` of `{name}` was skipped: {}",
                skipped.reason
            )
        }
        Found::Unknown { near, missing } => {
            let questions = count(run.plan_of().data.questions, "question");
            let mut text = format!("expected an id of the {questions} of `{name}`, got `{id}`");
            if !near.is_empty() {
                let near: Vec<String> = near.iter().map(|id| format!("`{id}`")).collect();
                // Writing to a String cannot fail.
                let _ = write!(text, "; near it: {}", near.join(", "));
            }
            if missing > 0 {
                let chunks = run.plan_of().chunks;
                let _ = write!(
                    text,
                    "; {missing} of its {chunks} chunks are still to be done"
                );
            }
            bail!(text)
        }
    }
}
