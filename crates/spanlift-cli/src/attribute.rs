//! `spanlift attribute`: every question of a data set explained, into a run's folder; plan, chunks and finish in a row.

use std::ops::Range;

use anyhow::{Context, bail, ensure};

use spanlift::Explainer;
use spanlift::ops::Real;
use spanlift_squad::Question;
use spanlift_store::{Asked, Cpu, Data, Finished, GivenAnswers, Job, Plan, Run, StoreError};

use crate::args::{AttributeArgs, PrecisionArg};
use crate::controls::AnswersArg;
use crate::data;
use crate::model::Model;
use crate::output::{self, Outcome, count};

pub(crate) fn run(args: &AttributeArgs) -> anyhow::Result<Outcome> {
    let options = args.options()?;
    output::check_folder_to_be("--out", &args.out)?;
    let (all, bad_records) = data::questions("--data", &args.data, args.skip_bad)?;
    let of = all.len();
    let questions = args.selection().of(all);
    let name = args.data.file_name().unwrap_or_default().to_string_lossy();
    let data = Data::new(&name, &questions, of, bad_records);
    let given = given(args, &questions)?;
    let asked = Asked {
        options: &options,
        given: given.as_ref(),
        keep: args.keep(),
    };
    args.common.answering.start_threads()?;
    match args.common.precision {
        PrecisionArg::F32 => attribute::<f32>(args, asked, data, &questions),
        PrecisionArg::F64 => attribute::<f64>(args, asked, data, &questions),
    }
}

/// The answers of another run, where one is named.
fn given(args: &AttributeArgs, questions: &[Question]) -> anyhow::Result<Option<GivenAnswers>> {
    let AnswersArg::Run(folder) = &args.answers else {
        return Ok(None);
    };
    let name = folder.display();
    let run = Run::open(folder).with_context(|| {
        format!("--answers: expected own, random, random:SEED or the folder of a run, got `{name}`")
    })?;
    let given = run.answers(questions);
    given
        .map(Some)
        .with_context(|| format!("--answers: `{name}`"))
}

fn attribute<T: Real>(
    args: &AttributeArgs,
    asked: Asked<'_>,
    data: Data,
    questions: &[Question],
) -> anyhow::Result<Outcome> {
    let model = Model::find(&args.common.answering)?;
    let explainer: Explainer<T> = model.load()?;
    let plan = Plan::new(
        data,
        args.selection(),
        &explainer,
        model.hash()?,
        asked,
        args.chunk_size,
    );
    let chunks = args.chunks.clone().unwrap_or(0..plan.chunks);
    ensure!(
        chunks.end <= plan.chunks,
        "--chunks: the run has {}, got {}..{}",
        count(plan.chunks, "chunk"),
        chunks.start,
        chunks.end
    );
    if let (Some(given), false) = (asked.given, args.skip_bad) {
        let first = plan.questions(chunks.start).start;
        let last = plan.questions(chunks.end - 1).end;
        if let Some((id, reason)) = given.first_without(&questions[first..last]) {
            bail!(
                "--answers: question `{id}`: {reason} (--skip-bad goes on without such questions)"
            );
        }
    }
    let mut run = Run::plan(&args.out, plan).context("--out")?;
    say_cpu(run.plan_of());
    let threads = rayon::current_num_threads();
    let job = Job::new(&explainer, asked, args.skip_bad, threads)?;
    explain(args, &run, chunks, questions, &job)?;
    let missing = run.missing().len();
    if missing > 0 {
        let chunks = run.plan_of().chunks;
        output::print(&format!(
            "{} of {chunks} chunks are done in {}\n",
            chunks - missing,
            args.out.display()
        ))?;
        return Ok(Outcome::Done);
    }
    let finished = run.finish().context("--out")?.clone();
    output::print(&summary(args, &finished))?;
    // A rule that promises no sum breaks none: the worst error is printed.
    if finished.broken == 0 || !args.common.rule.preset().complete {
        return Ok(Outcome::Done);
    }
    output::warn(&format!(
        "the scores of {} of {} do not add up; do not trust these; try --precision f64",
        finished.broken,
        count(finished.questions, "explanation")
    ));
    Ok(Outcome::Negative)
}

/// Bits agree on one kind of CPU alone.
fn say_cpu(plan: &Plan) {
    let here = Cpu::here();
    if here != plan.cpu {
        output::note(&format!(
            "this is another kind of CPU ({}) than the run was planned on ({}): its parts are right within rounding, and not \
             to the bit what that one would make",
            here.model, plan.cpu.model
        ));
    }
}

/// Does those of the chunks whose parts are not there.
fn explain<T: Real>(
    args: &AttributeArgs,
    run: &Run,
    chunks: Range<usize>,
    questions: &[Question],
    job: &Job<'_, T>,
) -> anyhow::Result<()> {
    let plan = run.plan_of();
    let size = |chunk: usize| plan.questions(chunk).len();
    let there = |chunk: usize| run.part(chunk).exists();
    let done: Vec<usize> = chunks.clone().filter(|&chunk| there(chunk)).collect();
    if !done.is_empty() {
        output::note(&format!(
            "`{}`: {} of {} there already",
            args.out.display(),
            done.len(),
            count(chunks.len(), "chunk")
        ));
    }
    let bar = output::progress(chunks.clone().map(size).sum(), "attribute");
    bar.inc(done.into_iter().map(size).sum::<usize>() as u64);
    bar.reset_eta();
    for chunk in chunks {
        // Another process may have done it meanwhile.
        if there(chunk) {
            continue;
        }
        let found = run.chunk(chunk, questions, job, &|| bar.inc(1));
        let chunks = plan.chunks;
        let found = match found {
            Err(error @ StoreError::Question { .. }) => Err(error).with_context(|| {
                let data = args.data.display();
                format!("`{data}`: chunk {chunk} of 0..{chunks} (--skip-bad goes on without such questions)")
            }),
            other => other.with_context(|| {
                format!("--out: chunk {chunk} of 0..{chunks} (what is done is kept: the same command goes on)")
            }),
        }?;
        for skipped in &found.info.skipped {
            let (id, reason) = (&skipped.id, &skipped.reason);
            bar.suspend(|| output::warn(&format!("skipped: question `{id}`: {reason}")));
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// What the run came to.
fn summary(args: &AttributeArgs, finished: &Finished) -> String {
    let of = match &args.answers {
        AnswersArg::Own => "",
        AnswersArg::Random(_) | AnswersArg::Run(_) => " of the answers that were given",
    };
    let mut text = format!(
        "{} of {} explained in {}, exact {:.2}, F1 {:.2}{of}\n",
        count(finished.questions, "question"),
        args.data.display(),
        args.out.display(),
        finished.exact,
        finished.f1
    );
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    if !finished.skipped.is_empty() {
        line(format!(
            "{} skipped",
            count(finished.skipped.len(), "question")
        ));
    }
    line(format!(
        "{} bytes in {}, {} bytes a question",
        finished.bytes,
        count(finished.parts.len(), "part"),
        finished.bytes / finished.questions.max(1) as u64
    ));
    if let Some(rate) = &finished.rate {
        line(format!(
            "{:.1} questions a second with {}",
            rate.questions_per_second,
            count(rate.threads, "thread")
        ));
    }
    if let Some(worst) = &finished.worst {
        let holds = match finished.broken {
            0 => "hold",
            _ if args.common.rule.preset().complete => "DO NOT HOLD",
            _ => "are not promised",
        };
        line(format!(
            "sums {holds}: |error| / max(1, Σ|score|) ≤ {:.1e}, {}, question {}",
            worst.relative,
            crate::audit::cut_name(&worst.cut),
            worst.id
        ));
    }
    if finished.cpus.len() > 1 {
        let cpus: Vec<&str> = finished.cpus.iter().map(|cpu| &*cpu.model).collect();
        line(format!("made on several kinds of CPU: {}", cpus.join("; ")));
    }
    line(format!("data sha-256 {}", finished.sha256));
    text
}
