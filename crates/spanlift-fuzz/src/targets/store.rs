//! Runs: a part, and `run.json` beside a good part. Rows that read are added up, and drawn where their sums hold.

use std::fs;
use std::path::Path;

use spanlift::checkpoint::Source;
use spanlift::{Explainer, Options};
use spanlift_render::{TerminalOptions, terminal};
use spanlift_squad::Question;
use spanlift_store::{Asked, Data, Found, Job, Keep, Plan, Run, Selection};

use super::files::Folder;
use crate::mutate::Shape;
use crate::run::{Bound, Outcome, Probe, Target};

/// A page may unfold to far more than it has, up to the reader's budget of 2 GiB; these are far below it.
const PART: Bound = Bound {
    factor: 1 << 10,
    constant: 64 << 20,
};

/// A row has the model's and the method's names for itself, and a part of two rows is read beside it.
const RUN: Bound = Bound {
    factor: 64,
    constant: 64 << 20,
};

const PLAN: &str = "run.json";
const FIRST: &str = "parts/chunk-00000.parquet";

const WORDS: &[&str] = &[
    "\"plan\"",
    "\"finished\"",
    "\"chunks\"",
    "\"chunk_size\"",
    "\"questions\"",
    "\"key\"",
    "null",
    "18446744073709551615",
    "1e308",
];

pub(super) fn targets() -> Vec<Target> {
    // Without its seeds a target has no input that reads, and the run says so.
    let [plan, part] = seeds().unwrap_or_default();
    let parts = Folder::new(FIRST, vec![(PLAN, plan.clone())]);
    let runs = Folder::new(PLAN, vec![(FIRST, part.clone())]);
    let target = |name, shape, seed, run| Target {
        name,
        inputs: 100_000,
        shape,
        seeds: vec![seed],
        words: WORDS,
        run,
    };
    vec![
        target(
            "run.parquet",
            Shape::Binary,
            part,
            Box::new(move |input, probe| {
                parts.with(input, |folder| read(folder, input.len(), PART, probe))
            }),
        ),
        target(
            "run.json",
            Shape::Json,
            plan,
            Box::new(move |input, probe| {
                runs.with(input, |folder| read(folder, input.len(), RUN, probe))
            }),
        ),
    ]
}

/// `run.json` and the one part of a run of two questions.
fn seeds() -> Result<[Vec<u8>; 2], Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spanlift/tests/oracle/two-layers");
    let explainer: Explainer<f32> = Explainer::load(Source::Folder(&root))?;
    let question = |id: &str, answers| Question {
        id: id.to_owned(),
        title: "Bridge".into(),
        question: "who moved the bridge ?".to_owned(),
        context: "the mayor moved the old bridge .".into(),
        answers,
        is_impossible: false,
    };
    let gold = spanlift_squad::GoldAnswer {
        text: "mayor".to_owned(),
        start: 4,
    };
    let questions = [question("a", vec![gold]), question("b", Vec::new())];
    let keep = Keep {
        edges: Some(2),
        head_tokens: true,
    };
    let options = Options::default();
    let asked = Asked {
        options: &options,
        given: None,
        keep,
    };
    let data = Data::new("made-up", &questions, 2, 0);
    let selection = Selection::default();
    let plan = Plan::new(data, selection, &explainer, String::new(), asked, 2);
    let folder = tempfile::tempdir()?;
    let run = Run::plan(folder.path(), plan)?;
    let job = Job::new(&explainer, asked, false, 1)?;
    run.chunk(0, &questions, &job, &|| ())?;
    Ok([fs::read(folder.path().join(PLAN))?, fs::read(run.part(0))?])
}

/// Opens the run and reads all that it has.
fn read(folder: &Path, length: usize, bound: Bound, probe: &mut Probe) -> Outcome {
    let rows = probe.step("read", length, bound, || {
        let run = Run::open(folder)?;
        let rows: Result<Vec<_>, _> = run.records()?.collect();
        rows.map(|rows| (run, rows))
    });
    let (run, rows) = match rows {
        Ok(read) => read,
        Err(error) => {
            drop(error.to_string());
            return Outcome::Refused;
        }
    };
    for row in rows {
        match probe.step("find", length, bound, || run.find(&row.id)) {
            Ok(Found::Record(_)) => {}
            other => return Outcome::Wrong(format!("row {:?}: {other:?}", row.id)),
        }
        if row.explanation.check_sums().is_ok() {
            drop(terminal(&row.explanation, &TerminalOptions::default()));
        }
    }
    Outcome::Read
}
