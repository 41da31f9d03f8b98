//! `spanlift study training`: how the attention forms.

use std::fmt::Write;

use spanlift_study::Table;
use spanlift_study::profile::cut_names;
use spanlift_study::training::{self, PageData, Training};

use super::args::TrainingArgs;
use super::{grid, number, per_cent};
use crate::output::{self, Outcome, count};

pub(crate) fn run(args: &TrainingArgs) -> anyhow::Result<Outcome> {
    if let Some(file) = &args.output {
        output::check_page("--output", file)?;
    }
    if let Some(folder) = &args.tables {
        output::check_folder("--tables", folder)?;
    }
    crate::args::start_threads(args.drawing.threads)?;
    let bar = output::spinner("reading");
    let training = Training::read(&args.folder, args.maps);
    bar.finish_and_clear();
    let training = training?;
    if training.unfinished > 0 {
        output::warn(&format!(
            "at {} not all probe questions are explained yet: left out",
            count(training.unfinished, "step")
        ));
    }
    let tables = training.tables(args.drawing.bootstrap());
    if let Some((format, folder)) = args.format.zip(args.tables.as_ref()) {
        super::write_all(format.format(), folder, &tables.iter().collect::<Vec<_>>())?;
    }
    if let Some(file) = &args.output {
        let folder = std::path::absolute(&args.folder)?;
        let name = folder.file_name().unwrap_or(folder.as_os_str());
        let page = training::page(&PageData {
            name: &name.to_string_lossy(),
            training: &training,
            tables: &tables,
        })?;
        output::write_whole("--output", file, page.as_bytes())?;
    }
    output::print(&text(&training, &tables))?;
    Ok(Outcome::Done)
}

fn text(training: &Training, tables: &[Table]) -> String {
    let plan = &training.plan;
    let probed = plan.probe.as_ref().map_or(0, |probe| probe.data.questions);
    let mut text = format!(
        "{} on {} of {}; {}\n",
        plan.base.name,
        count(plan.data.questions, "question"),
        plan.data.name,
        count(probed, "probe question"),
    );
    let table = |name: &str| tables.iter().find(|table| table.name == name);
    let cuts: Vec<String> = cut_names(training.layers())
        .take(training.layers())
        .collect();
    let mut head = ["step", "loss", "exact", "F1", "answered"]
        .map(str::to_owned)
        .to_vec();
    head.extend(cuts.iter().cloned());
    let rows =
        |name: &str, wanted: &[(&str, &str)], write: &dyn Fn(f64) -> String| -> Vec<Vec<String>> {
            let Some((steps, of)) = table("steps").zip(table(name)) else {
                return Vec::new();
            };
            let row = |row: usize| {
                let step = steps.text("step", row);
                let mut cells = vec![step.clone(), number(steps.number("loss", row), 3)];
                let shares = ["exact", "f1", "answered"];
                cells.extend(shares.map(|column| per_cent(steps.number(column, row))));
                for cut in &cuts {
                    let mut wanted = wanted.to_vec();
                    wanted.extend([
                        ("step", step.as_str()),
                        ("source", "deeplift"),
                        ("cut", cut.as_str()),
                    ]);
                    let found = of.find(&wanted).first().copied();
                    cells.push(write(found.map_or(f64::NAN, |row| of.number("mean", row))));
                }
                cells
            };
            (0..steps.rows()).map(row).collect()
        };
    let answer = [
        ("group", "answer"),
        ("measure", "positive"),
        ("role", "answer"),
    ];
    let answered = [("group", "answer")];
    for (title, name, wanted, write) in [
        (
            "share of positive score on the answer, per cent, at the input of each layer, of the questions that got an answer",
            "shares",
            &answer[..],
            &per_cent as &dyn Fn(f64) -> String,
        ),
        (
            "of the same, those whose strongest token is the answer's, per cent",
            "lead",
            &[],
            &per_cent,
        ),
        (
            "effective number of tokens of the same",
            "spread",
            &answered[..],
            &|x| number(x, 1),
        ),
    ] {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n{title}\n{}",
            grid(&head, rows(name, wanted, write))
        );
    }
    text
}
