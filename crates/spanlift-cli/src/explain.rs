//! `spanlift explain`: one question, answered and explained.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use safetensors::{Dtype, tensor::TensorView};

use spanlift::answer::{AnswerOptions, MAX_ANSWER_TOKENS};
use spanlift::attribute::KeepEdges;
use spanlift::check::{Check, DRAWS, MUST_BEAT, Verdict};
use spanlift::ops::{Matrix, Real};
use spanlift::{AnswerChoice, Explained, Explainer, Item};
use spanlift_explanation::Explanation;
use spanlift_render::terminal;

use crate::args::{ExplainArgs, PrecisionArg, reference};
use crate::model::Model;
use crate::output::{self, Outcome};

/// Question, passage and, from a data set, the gold answers.
struct Texts {
    question: String,
    passage: String,
    gold: Option<Vec<String>>,
}

pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<Outcome> {
    // All that can be wrong with what was typed comes before the work.
    if args.method.compare {
        crate::side_by_side::check(args)?;
    } else {
        crate::method::check(args)?;
    }
    crate::render::check(&args.pictures)?;
    if args.all_windows {
        crate::windows::check(args)?;
    }
    output::check_targets(&args.targets(), &args.inputs())?;
    let texts = texts(args)?;
    args.common.answering.start_threads()?;
    match args.common.precision {
        PrecisionArg::F32 => explain::<f32>(args, &texts),
        PrecisionArg::F64 => explain::<f64>(args, &texts),
    }
}

fn texts(args: &ExplainArgs) -> anyhow::Result<Texts> {
    if let (Some(data), Some(id)) = (&args.data, &args.id) {
        let dataset =
            spanlift_squad::read(data).with_context(|| format!("--data: `{}`", data.display()))?;
        let found = dataset.find(id).with_context(|| {
            let count = dataset.questions.len();
            format!(
                "--id: expected one of the {count} ids of `{}`, got `{id}`",
                data.display()
            )
        })?;
        let mut gold: Vec<String> = found
            .answers
            .iter()
            .map(|answer| answer.text.clone())
            .collect();
        gold.dedup();
        return Ok(Texts {
            question: found.question.clone(),
            passage: found.context.to_string(),
            gold: Some(gold),
        });
    }
    let (Some(question), Some(file)) = (&args.question, &args.passage) else {
        bail!("expected a question and --passage FILE, or --data FILE and --id ID");
    };
    let passage = read_text(file).with_context(|| format!("--passage: `{}`", file.display()))?;
    Ok(Texts {
        question: question.clone(),
        passage,
        gold: None,
    })
}

fn read_text(file: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(file)?;
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow::anyhow!("expected UTF-8 text, got another encoding at byte {at}")
    })
}

fn explain<T: Real>(args: &ExplainArgs, texts: &Texts) -> anyhow::Result<Outcome> {
    let explainer: Explainer<T> = Model::find(&args.common.answering)?.load()?;
    let mut options = args.common.options(reference(&args.reference)?);
    options.answering.n_best = args.n_best;
    options.target = args.kind();
    options.versus.clone_from(&args.versus);
    if let Some(text) = &args.answer {
        options.answer = AnswerChoice::Text(text.clone());
    }
    options.edges = if args.edges.is_some() {
        KeepEdges::All
    } else {
        KeepEdges::Strongest
    };
    options.attention = args.attention.is_some();
    if !args.method.compare {
        let scored = args.method.settings.of(args.method.method, &options);
        options = scored.options(&options);
    }
    let item = Item {
        question: &texts.question,
        passage: &texts.passage,
    };
    if args.all_windows {
        return crate::windows::run(args, &explainer, item, &options, texts.gold.as_deref());
    }
    if args.method.compare {
        return crate::side_by_side::run(args, &explainer, item, &options, texts.gold.as_deref());
    }
    let explained = explainer
        .explain_watched(item, &options, &mut output::watch_windows())
        .with_context(|| args.source())?;
    let explanation = &explained.explanation;
    if let Some(given) = args
        .answer
        .as_ref()
        .filter(|given| **given != explanation.answer.text)
    {
        let text = &explanation.answer.text;
        output::note(&format!(
            "--answer: {given:?} lies within tokens: {text:?} is explained"
        ));
    }
    window_notes(args, &explainer, &explained);

    let mut text = terminal(explanation, &args.pictures.terminal());
    if let Some(gold) = &texts.gold {
        text.push_str(&gold_line(gold));
    }
    let mut outcome = Outcome::Done;
    if args.check {
        let check = explainer.check(&explained)?;
        text.push_str(&check_lines(&check));
        if check.verdict() == Verdict::Failed {
            outcome = Outcome::Negative;
        }
    }
    // Files first: a reader of standard output that goes away must not cost them.
    write_files(args, &explained)?;
    output::print(&text)?;
    Ok(outcome.and(completeness(explanation)))
}

/// What the user may not expect of the windows.
pub(crate) fn window_notes<T: Real>(
    args: &ExplainArgs,
    explainer: &Explainer<T>,
    explained: &Explained<T>,
) {
    let limit = explainer.checkpoint().encoder.config.positions;
    let default = AnswerOptions::default().max_tokens;
    if args.common.answering.max_tokens > limit && args.common.answering.max_tokens != default {
        let asked = args.common.answering.max_tokens;
        output::note(&format!(
            "--max-tokens: {asked} asked for, the model takes at most {limit}"
        ));
    }
    let (whole, count) = (explained.longest_whole, explained.explanation.window.count);
    if count > 1 && whole < MAX_ANSWER_TOKENS {
        let whole = output::count(whole, "token");
        output::note(&format!(
            "--stride: an answer of more than {whole} may stand in no window as a whole; a smaller --stride, a larger \
             --max-tokens or a shorter question helps"
        ));
    }
}

/// Warns where the sums do not hold.
pub(crate) fn completeness(explanation: &Explanation) -> Outcome {
    let found = &explanation.completeness;
    // A method that promises no sum breaks none: its error is printed with it.
    if found.holds || !explanation.method.complete {
        return Outcome::Done;
    }
    output::warn(&format!(
        "the scores do not add up at the cut `{}`: |error| is {:.1e} of max(1, Σ|score|), and the bound is {:.0e}. \
         Do not trust this explanation; try --precision f64.",
        found.cut, found.worst, found.bound
    ));
    Outcome::Negative
}

pub(crate) fn gold_line(gold: &[String]) -> String {
    if gold.is_empty() {
        return "\ngold        no answer\n".to_owned();
    }
    let quoted: Vec<String> = gold.iter().map(|text| format!("{text:?}")).collect();
    format!("\ngold        {}\n", quoted.join(", "))
}

fn check_lines(check: &Check) -> String {
    let mean = check.draws.iter().sum::<f64>() / check.draws.len() as f64;
    let (least, most) = check.draws.iter().fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(least, most), &draw| (least.min(draw), most.max(draw)),
    );
    let words: Vec<String> = check.words.iter().map(|word| format!("{word:?}")).collect();
    format!(
        "\ncheck       masking {} changes the target by {:+.4}\n            \
         {DRAWS} random draws of {} words: {:+.4} on average ({:+.4} to {:+.4})\n            \
         {}\n",
        words.join(", "),
        -check.drop,
        check.words.len(),
        -mean,
        -most,
        -least,
        match check.verdict() {
            Verdict::TooFewWords =>
                format!("no verdict: {} words are too few to draw from", check.of),
            verdict => format!(
                "{}: it lowers the target by more than {} of {DRAWS} draws (asked for: at least {MUST_BEAT})",
                if verdict == Verdict::Passed {
                    "passed"
                } else {
                    "FAILED"
                },
                check.beaten(),
            ),
        }
    )
}

/// Writes every file that was asked for; one that fails does not keep the others from being written.
fn write_files<T: Real>(args: &ExplainArgs, explained: &Explained<T>) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    let mut attempt = |written: anyhow::Result<()>| {
        if let Err(error) = written {
            failed.push(format!("{error:#}"));
        }
    };
    attempt(crate::render::write(&args.pictures, &explained.explanation));
    if let (Some(path), Some(edges)) = (&args.edges, &explained.edges) {
        let mut tensors = Vec::new();
        for (l, heads) in edges.iter().enumerate() {
            tensors.push((
                format!("pattern.{}", l + 1),
                heads.iter().map(|e| &e.pattern).collect(),
            ));
            tensors.push((
                format!("content.{}", l + 1),
                heads.iter().map(|e| &e.content).collect(),
            ));
        }
        attempt(write_tensors("--edges", path, tensors));
    }
    if let Some(path) = &args.attention {
        let layers = explained.attention.iter().enumerate();
        let tensors =
            layers.map(|(l, heads)| (format!("attention.{}", l + 1), heads.iter().collect()));
        attempt(write_tensors("--attention", path, tensors.collect()));
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("{}", failed.join("\n"))
}

/// Writes tensors of shape (heads, tokens, tokens), in the precision of the run.
fn write_tensors<T: Real>(
    option: &str,
    path: &Path,
    tensors: Vec<(String, Vec<&Matrix<T>>)>,
) -> anyhow::Result<()> {
    let wide = T::NAME == "f64";
    let dtype = if wide { Dtype::F64 } else { Dtype::F32 };
    let mut parts: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::with_capacity(tensors.len());
    for (name, heads) in tensors {
        let shape = heads
            .first()
            .map_or([0, 0], |head| [head.rows(), head.cols()]);
        let numbers = heads.iter().flat_map(|head| head.data());
        let bytes = if wide {
            numbers.flat_map(|x| x.f64().to_le_bytes()).collect()
        } else {
            numbers.flat_map(|x| x.f32().to_le_bytes()).collect()
        };
        parts.push((name, vec![heads.len(), shape[0], shape[1]], bytes));
    }
    let mut views = Vec::with_capacity(parts.len());
    for (name, shape, bytes) in &parts {
        views.push((name, TensorView::new(dtype, shape.clone(), bytes)?));
    }
    let file = safetensors::serialize(views, None)?;
    output::write_whole(option, path, &file)
}
