//! `spanlift compare`: a data set under several methods, and which of them to believe.

use std::fmt::Write;
use std::ops::Range;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::Args as Group;

use spanlift::ops::Real;
use spanlift::{Explainer, Options, Scored};
use spanlift_squad::Question;
use spanlift_store::{Asked, Data, Plan, Selection};
use spanlift_study::Table;
use spanlift_study::bootstrap::Bootstrap;
use spanlift_study::faithfulness::{
    self, Comparison, ComparisonPlan, PageData, Row, Sanity, Step, Summary,
};

use crate::args::{CommonArgs, PrecisionArg, at_least_one, range, reference_of_all, resamples};
use crate::data;
use crate::method::{RuledArg, SettingArgs};
use crate::model::Model;
use crate::output::{self, Outcome, count};
use crate::study::args::FormatArg;
use crate::study::{grid, write_all};

/// Put a data set to several methods: how faithful each is, how far they agree, what they cost
#[derive(Debug, Group)]
pub(crate) struct CompareArgs {
    /// A data set: SQuAD JSON, or the flat records of Hugging Face `datasets` as JSON lines or Parquet; plain, .gz or .zst
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// The comparison's folder: compare.json, and the rows as Parquet in parts/. The same command goes on where it stopped
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Methods, with commas between them, as `explain --method` names them (default: all); of deeplift and deep-shap also under
    /// other rules than --rule, as deeplift:softmax-path
    #[arg(long, value_delimiter = ',', value_name = "METHODS")]
    pub(crate) methods: Vec<RuledArg>,
    /// Only the first N questions
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "sample")]
    pub(crate) limit: Option<usize>,
    /// Only N questions drawn at random (by --seed), in the order of the file
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) sample: Option<usize>,
    /// Only these chunks of four questions, from A up to but without B, counted from 0
    #[arg(long, value_name = "A..B", value_parser = range)]
    pub(crate) chunks: Option<Range<usize>>,
    /// What to compare the input with: mask, pad, unk, zero, mean, passage, question, or several averaged (mask+zero)
    #[arg(long, default_value = "mask")]
    pub(crate) reference: String,
    /// How often passages are resampled for an interval
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = resamples)]
    pub(crate) resamples: usize,
    /// Of N questions drawn at random, also: the scores when the model is re-initialised from the top (they must change), and under
    /// other references
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "randomise")]
    pub(crate) sanity: Option<usize>,
    /// Write the tables as files of this format into DIR/tables
    #[arg(long, value_enum)]
    pub(crate) format: Option<FormatArg>,
    /// Write a page: curves, methods against metrics, agreement, a few questions under every method
    #[arg(long, value_name = "FILE.html")]
    pub(crate) page: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

pub(crate) fn run(args: &CompareArgs) -> anyhow::Result<Outcome> {
    let reference = reference_of_all(&args.reference)?;
    let options = args.common.options(reference);
    output::check_folder_to_be("--out", &args.out)?;
    if let Some(page) = &args.page {
        output::check_page("--page", page)?;
    }
    let (all, bad_records) = data::questions("--data", &args.data, false)?;
    let of = all.len();
    let selection = Selection {
        limit: args.limit,
        sample: args.sample,
        seed: args.settings.seed,
    };
    let questions = selection.of(all);
    let name = args.data.file_name().unwrap_or_default().to_string_lossy();
    let data = Data::new(&name, &questions, of, bad_records);
    args.common.answering.start_threads()?;
    match args.common.precision {
        PrecisionArg::F32 => compare::<f32>(args, &options, (data, selection), &questions),
        PrecisionArg::F64 => compare::<f64>(args, &options, (data, selection), &questions),
    }
}

impl CompareArgs {
    fn methods(&self, options: &Options) -> anyhow::Result<Vec<Scored>> {
        if self.methods.is_empty() {
            return Ok(self.settings.all(options));
        }
        let asked: Vec<_> = self.methods.iter().map(|method| method.method()).collect();
        self.settings.check(&asked, "--methods without it")?;
        let of = |method: &RuledArg| method.scored(&self.settings, options);
        let methods: Vec<Scored> = self.methods.iter().map(of).collect();
        let named = |scored: &Scored| scored.options(options).method();
        let repeated = (1..methods.len()).find(|&i| {
            methods[..i]
                .iter()
                .any(|one| named(one) == named(&methods[i]))
        });
        if let Some(i) = repeated {
            let method = named(&methods[i]);
            let (label, rule) = (method.label(), &method.rule);
            bail!("--methods: expected each once, got `{label}` under `{rule}` twice");
        }
        Ok(methods)
    }
}

fn compare<T: Real>(
    args: &CompareArgs,
    options: &Options,
    (data, selection): (Data, Selection),
    questions: &[Question],
) -> anyhow::Result<Outcome> {
    let model = Model::find(&args.common.answering)?;
    let explainer: Explainer<T> = model.load()?;
    let methods = args.methods(options)?;
    let hash = model.hash()?;
    let plan = ComparisonPlan::new(options, &methods, |keep, chunk_size| {
        let asked = Asked {
            options,
            given: None,
            keep,
        };
        Plan::new(data, selection, &explainer, hash, asked, chunk_size)
    });
    let chunks = args.chunks.clone().unwrap_or(0..plan.run.chunks);
    ensure!(
        chunks.end <= plan.run.chunks,
        "--chunks: the comparison has {}, got {}..{}",
        count(plan.run.chunks, "chunk"),
        chunks.start,
        chunks.end
    );
    let comparison = Comparison::plan(&args.out, plan).context("--out")?;
    measure(
        args,
        &comparison,
        chunks,
        questions,
        &explainer,
        &methods,
        options,
    )?;
    let missing = comparison.missing().len();
    if missing > 0 {
        let chunks = comparison.chunks();
        let done = chunks - missing;
        output::print(&format!(
            "{done} of {chunks} chunks are done in {}\n",
            args.out.display()
        ))?;
        if args.page.is_some() || args.format.is_some() || args.sanity.is_some() {
            output::note("page, tables and sanity checks are made when all chunks are done");
        }
        return Ok(Outcome::Done);
    }
    let mut rows = comparison.rows().context("--out")?;
    if let Some(sample) = args.sanity {
        rows.extend(sanity(
            &comparison,
            sample,
            questions,
            &model,
            &explainer,
            &methods,
            options,
        )?);
    }
    let summary = Summary::new(&rows, comparison.plan_of().names());
    let bootstrap = Bootstrap {
        resamples: args.resamples,
        seed: 0,
    };
    let measured = summary.faithfulness(bootstrap);
    let agreement = summary.agreement(bootstrap);
    let sanity = summary.sanity(bootstrap);
    // Many tests, for files alone.
    let files = args.format.is_some() || args.page.is_some();
    let pairs = files.then(|| summary.pairs(bootstrap));
    let mut tables = vec![&measured, &agreement, &sanity];
    tables.extend(&pairs);
    if let Some(format) = args.format {
        let rows = summary.rows();
        let tables = [&[&rows], &tables[..]].concat();
        let folder = args.out.join("tables");
        output::check_folder("--out", &folder)?;
        write_all(format.format(), &folder, &tables)?;
    }
    if let Some(file) = &args.page {
        let ids = faithfulness::chosen(&rows);
        let bar = output::progress(ids.len(), "examples");
        let done = || bar.inc(1);
        let examples = comparison
            .examples(&ids, questions, &explainer, &methods, options, done)
            .context("--page")?;
        bar.finish_and_clear();
        let chosen = [
            ("resamples", args.resamples.to_string()),
            ("seed", args.settings.seed.to_string()),
        ];
        let page = faithfulness::page(&PageData {
            plan: comparison.plan_of(),
            questions: summary.questions(),
            options: &chosen,
            tables: &tables,
            examples: &examples,
        })?;
        output::write_whole("--page", file, page.as_bytes())?;
    }
    let names = comparison.plan_of().names();
    let shown = [&measured, &agreement, &sanity];
    output::print(&text(args, summary.questions(), &names, shown))?;
    Ok(Outcome::Done)
}

/// Does the chunks whose parts are not there.
fn measure<T: Real>(
    args: &CompareArgs,
    comparison: &Comparison,
    chunks: Range<usize>,
    questions: &[Question],
    explainer: &Explainer<T>,
    methods: &[Scored],
    options: &Options,
) -> anyhow::Result<()> {
    let run = &comparison.plan_of().run;
    let mut missing = comparison.missing();
    missing.retain(|chunk| chunks.contains(chunk));
    let there = chunks.len() - missing.len();
    if there > 0 {
        output::note(&format!(
            "`{}`: {there} of {} there already",
            args.out.display(),
            count(chunks.len(), "chunk")
        ));
    }
    let bar = output::progress(
        missing
            .iter()
            .map(|&chunk| run.questions(chunk).len())
            .sum(),
        "compare",
    );
    let chunks = comparison.chunks();
    for chunk in missing {
        let done = comparison.chunk(chunk, questions, explainer, methods, options, || bar.inc(1));
        done.with_context(|| {
            format!("chunk {chunk} of 0..{chunks} (what is done is kept: the same command goes on)")
        })?;
    }
    bar.finish_and_clear();
    Ok(())
}

/// What is printed of the faithfulness: metric, how words are taken away, at which share, and its name in the grid.
const SHOWN: [(&str, &str, Option<i64>, &str); 12] = [
    ("deletion-area", "mask", None, "deletion area, masked"),
    ("deletion-area", "delete", None, "deletion area, deleted"),
    ("insertion-area", "mask", None, "insertion area, masked"),
    ("insertion-area", "delete", None, "insertion area, deleted"),
    (
        "comprehensiveness",
        "mask",
        Some(5),
        "comprehensiveness 5 %, masked",
    ),
    (
        "comprehensiveness",
        "mask",
        Some(20),
        "comprehensiveness 20 %, masked",
    ),
    (
        "comprehensiveness",
        "delete",
        Some(20),
        "comprehensiveness 20 %, deleted",
    ),
    ("sufficiency", "mask", Some(20), "sufficiency 20 %, masked"),
    (
        "sufficiency",
        "delete",
        Some(20),
        "sufficiency 20 %, deleted",
    ),
    ("completeness", "", None, "|sum − Δt| / |Δt|"),
    ("forward", "", None, "forward passes"),
    ("seconds", "", None, "seconds a question"),
];

fn text(
    args: &CompareArgs,
    questions: usize,
    names: &[String],
    [faithfulness, agreement, sanity]: [&Table; 3],
) -> String {
    let mut text = format!(
        "{} of {} under {}\n\n",
        count(questions, "question"),
        args.data.display(),
        count(names.len(), "method")
    );
    let mut heading = vec!["mean".to_owned(), "better".to_owned()];
    heading.extend(names.iter().cloned());
    let rows = SHOWN.iter().map(|(metric, removal, at, shown)| {
        let of = |name: &String| {
            let at = at.map(|at| at.to_string()).unwrap_or_default();
            let wanted = [
                ("grouping", "all"),
                ("metric", metric),
                ("removal", removal),
                ("at", &at),
                ("method", name),
            ];
            mean(faithfulness, &wanted)
        };
        let mut row = vec![(*shown).to_owned(), faithfulness::better(metric).to_owned()];
        row.extend(names.iter().map(of));
        row
    });
    text.push_str(&grid(&heading, rows));
    for metric in ["pearson", "spearman", "overlap"] {
        let mut heading = vec![metric.to_owned()];
        heading.extend(names.iter().cloned());
        let rows = names.iter().map(|method| {
            let of = |other: &String| {
                mean(
                    agreement,
                    &[("metric", metric), ("method", method), ("other", other)],
                )
            };
            let mut row = vec![method.clone()];
            row.extend(names.iter().map(of));
            row
        });
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{}", grid(&heading, rows));
    }
    for (metric, shown) in [
        (
            "randomised",
            "rank correlation with the scores of the model re-initialised down to",
        ),
        ("randomised-size", "the same of their sizes"),
        (
            "reference",
            "rank correlation with the scores under another reference",
        ),
    ] {
        let others = others(sanity, metric);
        if others.is_empty() {
            continue;
        }
        let mut heading = vec![String::new()];
        heading.extend(names.iter().cloned());
        let rows = others.iter().map(|other| {
            let of = |method: &String| {
                mean(
                    sanity,
                    &[("metric", metric), ("method", method), ("other", other)],
                )
            };
            let mut row = vec![other.clone()];
            row.extend(names.iter().map(of));
            row
        });
        let _ = write!(text, "\n{shown}\n{}", grid(&heading, rows));
    }
    text
}

/// What a metric was measured against, in the table's order.
fn others(table: &Table, metric: &str) -> Vec<String> {
    let mut others: Vec<String> = Vec::new();
    for row in table.find(&[("metric", metric)]) {
        let other = table.text("other", row);
        if !others.contains(&other) {
            others.push(other);
        }
    }
    others
}

/// What is missing of the sample's steps is done; all of its rows.
fn sanity<T: Real>(
    comparison: &Comparison,
    sample: usize,
    questions: &[Question],
    model: &Model,
    explainer: &Explainer<T>,
    methods: &[Scored],
    options: &Options,
) -> anyhow::Result<Vec<Row>> {
    let sanity = Sanity::new(comparison, sample).context("--out")?;
    let missing = sanity.missing();
    if !missing.is_empty() {
        let bar = output::progress(sanity.questions() * (missing.len() + 1), "sanity");
        let done = || bar.inc(1);
        let originals = sanity.originals(questions, explainer, methods, options, done)?;
        for step in missing {
            match step {
                Step::References => {
                    sanity.references(questions, explainer, methods, options, &originals, done)?;
                }
                Step::Stage(stage) => {
                    let randomised = model.load_with::<T>(Some(&stage.randomise))?;
                    sanity.stage(
                        &stage,
                        questions,
                        &randomised,
                        methods,
                        options,
                        &originals,
                        done,
                    )?;
                }
            }
        }
        bar.finish_and_clear();
    }
    sanity.rows().context("--out")
}

/// The mean of the row that has these texts; empty where there is no such row.
fn mean(table: &Table, wanted: &[(&str, &str)]) -> String {
    let row = table.find(wanted).first().copied();
    row.map_or_else(String::new, |row| number(table.number("mean", row)))
}

fn number(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "–".to_owned(),
        0.0 => "0".to_owned(),
        size if size < 0.001 => format!("{value:.0e}"),
        size if size < 10.0 => format!("{value:.3}"),
        _ => format!("{value:.1}"),
    }
}
