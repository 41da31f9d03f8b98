//! Runs the targets: `cargo run --release -p spanlift-fuzz -- [TARGET]...`.

#![allow(
    clippy::print_stdout,
    reason = "a program for the terminal, not a library"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Parser;
use spanlift_fuzz::{Outcome, Plan, Probe, Report, Target, alone, run, targets};

/// Damaged and hostile files against every reader of Spanlift.
#[derive(Parser)]
struct Args {
    /// Targets; all where none is named.
    targets: Vec<String>,
    /// Inputs of each target; by default the target's own count, ten million over all.
    #[arg(long)]
    inputs: Option<u64>,
    /// The first input: where an earlier run ended, or the one that a finding names.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Of all inputs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Inputs at once.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Where findings are written, and how far each thread came.
    #[arg(long, default_value = "target/fuzz")]
    folder: PathBuf,
    /// Tries this file on the one target named, without catching a panic.
    #[arg(long)]
    replay: Option<PathBuf>,
    /// Writes the input at `--from` of the one target named here, and tries nothing.
    #[arg(long)]
    write: Option<PathBuf>,
    /// Lists the targets and their counts.
    #[arg(long)]
    list: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let mut all = targets::all();
    if args.list {
        for target in &all {
            println!("{:24} {:>9}", target.name, target.inputs);
        }
        println!(
            "{:24} {:>9}",
            "",
            all.iter().map(|target| target.inputs).sum::<u64>()
        );
        return Ok(ExitCode::SUCCESS);
    }
    let known: Vec<_> = all.iter().map(|target| target.name).collect();
    if let Some(name) = args
        .targets
        .iter()
        .find(|name| !known.contains(&name.as_str()))
    {
        bail!("target: expected one of {}, got {name}", known.join(", "));
    }
    all.retain(|target| {
        args.targets.is_empty() || args.targets.iter().any(|name| name == target.name)
    });

    if args.replay.is_some() || args.write.is_some() {
        let [target] = &all[..] else {
            bail!("expected one target, got {}", all.len());
        };
        if let Some(path) = &args.write {
            let input = target.input(args.seed, args.from);
            std::fs::write(path, input).with_context(|| path.display().to_string())?;
        }
        let Some(path) = &args.replay else {
            return Ok(ExitCode::SUCCESS);
        };
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        let outcome = alone(|| (target.run)(&bytes, &mut Probe::default()))?;
        println!("{outcome:?}");
        return Ok(ExitCode::from(u8::from(matches!(
            outcome,
            Outcome::Wrong(_)
        ))));
    }

    let mut found = 0;
    for target in &all {
        let plan = Plan {
            seed: args.seed,
            from: args.from,
            inputs: args.inputs.unwrap_or(target.inputs),
            threads: args.threads.max(1),
            folder: Some(args.folder.clone()),
        };
        let report = run(target, &plan)?;
        print(target, &plan, &report);
        found += report.findings.len();
    }
    Ok(ExitCode::from(u8::from(found > 0)))
}

fn print(target: &Target, plan: &Plan, report: &Report) {
    let rate = report.inputs as f64 / report.took.as_secs_f64();
    println!(
        "{}: seed {}, inputs {} to {}: {} tried, {} read, {} findings, {:.0} a second, slowest {:.3} s",
        target.name,
        plan.seed,
        plan.from,
        plan.from + plan.inputs,
        report.inputs,
        report.read,
        report.findings.len(),
        rate,
        report.slowest.as_secs_f64()
    );
    for (name, step) in &report.steps {
        println!(
            "  {name}: {} times, peak {} bytes, {:.2} of its bound, {:.1} a byte where it is not small, slowest {:.3} s",
            step.count,
            step.peak,
            step.of_bound,
            step.factor,
            step.took.as_secs_f64()
        );
    }
    for (index, took) in report.slow.iter().take(5) {
        println!("  slow: input {index}: {:.3} s", took.as_secs_f64());
    }
    for finding in &report.findings {
        let file = finding.file.as_ref().map(|file| file.display().to_string());
        println!(
            "  FOUND at input {}: {} ({})",
            finding.index,
            finding.what,
            file.unwrap_or_default()
        );
    }
}
