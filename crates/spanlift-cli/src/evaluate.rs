//! `spanlift evaluate`: every question of a data set answered, and the answers scored as the official script does.
//!
//! `predictions.json` holds "" where the model says that there is no answer, `null_odds.json` the null score − the best
//! span's score. The best thresholds are those of the official script on these two files: a sweep over null odds up to
//! `--null-threshold`, as above it there are no answers left that could count.

mod partial;
mod table;

use std::fs::File;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use rayon::prelude::*;
use serde::de::DeserializeOwned;

use spanlift::Explainer;
use spanlift_squad::{ById, Question};

use crate::args::EvaluateArgs;
use crate::data;
use crate::model::Model;
use crate::output::{self, Outcome, count};
use partial::{Line, Partial};

/// Files of `--output`.
const PREDICTIONS: &str = "predictions.json";
const NULL_ODDS: &str = "null_odds.json";
const METRICS: &str = "metrics.json";

/// Questions after which what is done is written down: a few seconds' work.
const CHUNK: usize = 64;

/// What there is to be scored.
struct Predicted {
    texts: ById<String>,
    odds: Option<ById<f64>>,
    /// Larger odds count as no answer.
    threshold: f64,
    /// Ids of the questions that were passed over.
    failed: Vec<String>,
    /// Who answered, for the table.
    by: String,
}

pub(crate) fn run(args: &EvaluateArgs) -> anyhow::Result<Outcome> {
    // clap does not ask for what something else that was typed rules out.
    ensure!(
        args.null_odds.is_none() || args.predictions.is_some(),
        "--null-odds: expected --predictions beside it"
    );
    if let Some(folder) = &args.output {
        output::check_folder("--output", folder)?;
    }
    let (mut questions, _) = data::questions("--data", &args.data, args.skip_bad)?;
    let predicted = match &args.predictions {
        Some(file) => given(args, file)?,
        None => answer_all(args, &questions)?,
    };
    let failed: std::collections::HashSet<&str> =
        predicted.failed.iter().map(String::as_str).collect();
    questions.truncate(args.limit.unwrap_or(usize::MAX));
    questions.retain(|question| !failed.contains(question.id.as_str()));
    let Predicted {
        texts,
        odds,
        threshold,
        by,
        ..
    } = &predicted;
    let evaluation = spanlift_squad::evaluate(&questions, texts, odds.as_ref(), *threshold)
        .with_context(|| {
            args.predictions.as_ref().map_or_else(
                || format!("--data: `{}`", args.data.display()),
                |file| format!("--predictions: `{}`", file.display()),
            )
        })?;
    if let Some(folder) = &args.output {
        let write = |name: &str, text: String| {
            output::write_whole("--output", &folder.join(name), text.as_bytes())
        };
        if let (None, Some(odds)) = (&args.predictions, odds) {
            write(NULL_ODDS, odds.to_json()?)?;
            write(PREDICTIONS, texts.to_json()?)?;
        }
        write(METRICS, evaluation.official_json())?;
        if args.predictions.is_none() {
            Partial::remove(folder)?;
        }
    }
    output::print(&table::table(&args.data, by, &evaluation))?;
    Ok(Outcome::Done)
}

/// Somebody else's predictions.
fn given(args: &EvaluateArgs, file: &Path) -> anyhow::Result<Predicted> {
    let odds = args.null_odds.as_deref();
    Ok(Predicted {
        texts: read("--predictions", file)?,
        odds: odds.map(|file| read("--null-odds", file)).transpose()?,
        threshold: args.na_prob_thresh,
        failed: Vec::new(),
        by: format!("predictions of {}", file.display()),
    })
}

fn read<T: DeserializeOwned>(option: &str, file: &Path) -> anyhow::Result<ById<T>> {
    let name = file.display();
    let open = File::open(file).with_context(|| format!("{option}: `{name}` cannot be read"))?;
    ById::read(open).with_context(|| format!("{option}: `{name}`"))
}

/// The model's own predictions, those of an interrupted run included.
fn answer_all(args: &EvaluateArgs, all: &[Question]) -> anyhow::Result<Predicted> {
    let answering = &args.answering;
    answering.start_threads()?;
    let model = Model::find(answering)?;
    let explainer: Explainer<f32> = model.load()?;
    let questions = &all[..all.len().min(args.limit.unwrap_or(usize::MAX))];
    let mut lines = Vec::new();
    let mut partial = None;
    if let Some(folder) = &args.output {
        let key = partial::key(answering, &model.hash()?, all);
        let (opened, done) = Partial::open(folder, &key, questions)?;
        if !done.is_empty() {
            output::note(&format!(
                "`{}`: going on after {}",
                folder.display(),
                count(done.len(), "question")
            ));
        }
        lines = done;
        partial = Some(opened);
    }
    let bar = output::progress(questions.len(), "evaluate");
    bar.inc(lines.len() as u64);
    bar.reset_eta();
    let rest = &questions[lines.len()..];
    let threads = rayon::current_num_threads();
    for chunk in rest.chunks(CHUNK) {
        let mut done = Vec::with_capacity(chunk.len());
        // As many questions at once as there are threads, so that memory does not grow with the chunk.
        for group in chunk.chunks(threads) {
            let answered: Vec<_> = group
                .par_iter()
                .map(|question| answer(&explainer, question, args))
                .collect();
            done.extend(answered);
            bar.inc(group.len() as u64);
        }
        for line in &done {
            if let (Some(error), false) = (&line.error, args.skip_bad) {
                bail!(
                    "question `{}` of `{}`: {error}",
                    line.id,
                    args.data.display()
                );
            }
        }
        if let Some(partial) = &mut partial {
            partial.append(&done)?;
        }
        lines.append(&mut done);
    }
    bar.finish_and_clear();
    predicted(args, lines)
}

fn answer(explainer: &Explainer<f32>, question: &Question, args: &EvaluateArgs) -> Line {
    let options = args.answering.options();
    let id = question.id.clone();
    match explainer.answer(&question.question, &question.context, &options) {
        Ok(answers) => Line {
            id,
            null_odds: answers.answer.null_score - answers.answer.score,
            text: answers.answer.text,
            error: None,
        },
        Err(error) => Line {
            id,
            error: Some(error.to_string()),
            ..Line::default()
        },
    }
}

/// The answers as the official files hold them; says which questions have none.
fn predicted(args: &EvaluateArgs, lines: Vec<Line>) -> anyhow::Result<Predicted> {
    let (mut texts, mut odds) = (ById::default(), ById::default());
    let mut failed = Vec::new();
    for line in lines {
        match line.error {
            Some(error) => {
                output::warn(&format!("skipped: question `{}`: {error}", line.id));
                failed.push(line.id);
            }
            None => {
                texts.insert(line.id.clone(), line.text);
                odds.insert(line.id, line.null_odds);
            }
        }
    }
    if !failed.is_empty() {
        let failed = count(failed.len(), "question");
        output::note(&format!(
            "{failed} without an answer left out of files and figures"
        ));
    }
    let answering = &args.answering;
    let model = answering.model.as_ref().map_or_else(
        || "default model".to_owned(),
        |folder| format!("model {}", folder.display()),
    );
    let randomised = answering.randomise.as_ref();
    let randomised = randomised.map_or_else(String::new, |randomised| {
        format!(", weights re-initialised ({randomised})")
    });
    Ok(Predicted {
        texts,
        odds: Some(odds),
        // The model has said already where there is no answer.
        threshold: f64::INFINITY,
        failed,
        by: format!(
            "{model}{randomised}, windows of {} tokens every {}, null threshold {}",
            answering.max_tokens, answering.stride, answering.null_threshold
        ),
    })
}
