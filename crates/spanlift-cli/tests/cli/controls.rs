//! Control runs: random spans, the answers of another run, weights drawn anew.

use std::fs;

use serde_json::Value;
use spanlift_explanation::Explanation;

use crate::desk::{Desk, Ran};

const DATA: [&str; 4] = ["--data", "squad.json", "--model", "model"];

fn args<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let run = ["--chunk-size", "2", "--out", out];
    [&["attribute"], &DATA[..], &run, more].concat()
}

fn attribute(desk: &Desk, out: &str, more: &[&str]) -> Ran {
    desk.run(&args(out, more))
}

fn plan(desk: &Desk, out: &str) -> Value {
    let run: Value = serde_json::from_slice(&desk.read(&format!("{out}/run.json"))).unwrap();
    run["plan"].clone()
}

const IDS: [&str; 3] = ["opened", "moved", "painted-8"];

fn shown(desk: &Desk, out: &str, id: &str) -> Explanation {
    desk.run(&["show", out, id, "-o", "shown.json"]).succeeded();
    let explanation = desk.read_explanation("shown.json");
    explanation.check_sums().unwrap();
    explanation
}

#[test]
fn random_spans_are_explained_and_said_to_be_given() {
    let desk = Desk::new();
    let ran = attribute(&desk, "run", &["--answers", "random:3", "--threads", "1"]).succeeded();
    let of = " of the answers that were given\n";
    assert!(
        ran.stdout.lines().next().unwrap().ends_with(of.trim_end()),
        "{}",
        ran.stdout
    );
    assert_eq!(plan(&desk, "run")["method"]["answers"], "random:3");
    attribute(&desk, "again", &["--answers", "random:3", "--threads", "3"]).succeeded();
    for chunk in 0..5 {
        let part = |run: &str| desk.read(&format!("{run}/parts/chunk-{chunk:05}.parquet"));
        assert!(part("run") == part("again"), "{chunk}");
    }
    attribute(&desk, "own", &[]).succeeded();
    let mut moved = 0;
    for id in IDS {
        let (random, own) = (shown(&desk, "run", id), shown(&desk, "own", id));
        assert!(random.answer.given && !own.answer.given);
        assert_eq!(
            (&random.tokens, &random.candidates),
            (&own.tokens, &own.candidates)
        );
        moved += usize::from(random.answer.start != own.answer.start);
    }
    assert!(moved > 0);
    desk.refuses(
        &args("run", &["--answers", "random:4"]),
        &["--answers: it has random:3, asked for random:4"],
    );
    desk.refuses(
        &args("run", &[]),
        &["--answers: it has random:3, asked for own"],
    );
    // Seed 0 where none is typed.
    attribute(&desk, "zero", &["--answers", "random", "--limit", "1"]).succeeded();
    assert_eq!(plan(&desk, "zero")["method"]["answers"], "random:0");
}

#[test]
fn answers_of_another_run_are_explained_under_random_weights() {
    let desk = Desk::new();
    attribute(&desk, "own", &["--null-threshold", "9"]).succeeded();
    let more = ["--answers", "own", "--null-threshold", "9"];
    attribute(&desk, "own", &more).succeeded();
    let more = [
        "--answers",
        "own/",
        "--randomise",
        "all:2",
        "--reference",
        "zero",
    ];
    attribute(&desk, "run", &more).succeeded();
    let plan = plan(&desk, "run");
    assert!(
        plan["method"]["answers"]
            .as_str()
            .unwrap()
            .starts_with("run:")
    );
    assert_eq!(plan["model"]["randomised"], "all, seed 2");
    for id in IDS {
        let (random, own) = (shown(&desk, "run", id), shown(&desk, "own", id));
        let place = |e: &Explanation| (e.answer.start, e.answer.end, e.window.clone());
        assert_eq!(place(&random), place(&own));
        assert!(random.answer.given && random.completeness.holds);
        assert_eq!(
            random.model.name,
            "model, weights re-initialised (all, seed 2)"
        );
    }
    let other = [&more[..], &["--randomise", "1:2"]].concat();
    // clap: an option that is not a list is typed once.
    desk.refuses(&args("run", &other), &["--randomise"]);
    let other = [
        "--answers",
        "own/",
        "--randomise",
        "1,2:2",
        "--reference",
        "zero",
    ];
    desk.refuses(
        &args("run", &other),
        &["--randomise: it has all, seed 2, asked for layers 1 2, seed 2"],
    );
    // All parts by their names are all.
    let same = [
        "--answers",
        "own/",
        "--randomise",
        "head,embeddings,1..2:2",
        "--reference",
        "zero",
    ];
    attribute(&desk, "run", &same).succeeded();
}

#[test]
fn answers_that_there_are_not_are_refused_or_listed() {
    let desk = Desk::new();
    let refuses = |answers: &str, words: &[&str]| {
        let ran = attribute(&desk, "run", &["--answers", answers]);
        ran.refused(words);
        assert!(!desk.path("run").exists());
    };
    let expected = "--answers: expected own, random, random:SEED or the folder of a run, got `";
    refuses("nowhere", &[expected, "nowhere/run.json` cannot be read"]);
    refuses("model", &[expected, "model/run.json` cannot be read"]);
    refuses(
        "random:x",
        &[
            "--answers",
            "expected a whole number behind the colon, got `x`",
        ],
    );
    // An unfinished run has what it has.
    attribute(&desk, "part", &["--chunks", "0..1"]).succeeded();
    refuses(
        "part",
        &[
            "--answers: question `painted-2`: the run that has the answers lacks this question; \
             4 of its chunks are still to be done (--skip-bad goes on",
        ],
    );
    attribute(&desk, "some", &["--answers", "part", "--chunks", "0..1"]).succeeded();
    let ran = attribute(&desk, "run", &["--answers", "part", "--skip-bad"]).succeeded();
    assert!(
        ran.stdout.contains("2 questions of squad.json explained"),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("\n7 questions skipped\n"), "{ran:?}");
    let warning = "skipped: question `painted-5`: answers: the run that has the answers lacks";
    assert!(ran.stderr.contains(warning), "{ran:?}");
    fs::remove_dir_all(desk.path("run")).unwrap();
    // Another passage under the same ids.
    let data = String::from_utf8(desk.read("squad.json")).unwrap();
    desk.write("squad.json", data.replace("Who moved", "Who broke"));
    refuses(
        "part",
        &["question `moved`: its question is another one in the run that has the answers"],
    );
    desk.write("squad.json", data.replace("in 1901.\\n", "in 1901!\\n"));
    refuses(
        "part",
        &["question `opened`: its passage is another one in the run that has the answers"],
    );
    desk.write("squad.json", data);
    // A damaged part of the other run.
    let part = "part/parts/chunk-00000.parquet";
    let bytes = desk.read(part);
    desk.write(part, &bytes[..bytes.len() / 2]);
    refuses(
        "part",
        &["--answers: `part`", "chunk-00000.parquet` is damaged"],
    );
}

#[test]
fn weights_are_drawn_anew_for_every_command_that_asks_a_model() {
    let desk = Desk::new();
    let own = desk.explanation(&[]);
    let drawn = desk.explanation(&["--randomise", "all:1"]);
    assert_eq!(
        drawn.model.name,
        "model, weights re-initialised (all, seed 1)"
    );
    assert!(drawn.completeness.holds && drawn.tokens == own.tokens);
    assert_ne!(drawn.target.delta, own.target.delta);
    let top = desk.explain(&["--randomise", "2,head"]).succeeded();
    let name = "model model, weights re-initialised (layer 2, head, seed 0)";
    assert!(top.stdout.contains(name), "{}", top.stdout);
    let of = |command: &str, more: &[&str]| {
        let ran = desk
            .run(&[&[command], &DATA[..], more].concat())
            .succeeded();
        ran.stdout
    };
    let randomise = ["--randomise", "all:1"];
    assert_ne!(of("audit", &randomise), of("audit", &[]));
    assert!(of("audit", &randomise).contains("kept by all"));
    let against = [&randomise[..], &["--against", "f64"]].concat();
    assert!(of("audit", &against).contains("against f64"));
    let table = of("evaluate", &randomise);
    assert!(
        table.contains("weights re-initialised (all, seed 1)"),
        "{table}"
    );
}

#[test]
fn weights_that_cannot_be_drawn_are_refused() {
    let desk = Desk::new();
    desk.refuses_to_explain(
        &["--randomise", "2..3"],
        &["--randomise: layers whose weights are drawn anew: expected 1 to 2, got 3"],
    );
    desk.refuses_to_explain(
        &["--randomise", "0"],
        &["--randomise: layers whose weights are drawn anew: expected 1 to 2, got 0"],
    );
    for typed in ["", "some", "3..2", "all,head", "1..99999999"] {
        desk.refuses_to_explain(
            &["--randomise", typed],
            &[
                "--randomise",
                "expected all, or some of embeddings, layers (3, or 2..5 for 2 to 5)",
            ],
        );
    }
    desk.refuses_to_explain(
        &["--randomise", "all:one"],
        &["expected a whole number behind the colon, got `one`"],
    );
    desk.edit_json("model/config.json", |config| {
        config["initializer_range"] = "wide".into();
    });
    desk.explain(&[]).succeeded();
    desk.refuses_to_explain(
        &["--randomise", "all"],
        &["config.json: `initializer_range`: expected a number from 1e-6 to 10, got `wide`"],
    );
    desk.write("predictions.json", "{}");
    let given = [
        "evaluate",
        "--data",
        "squad.json",
        "--predictions",
        "predictions.json",
    ];
    desk.refuses(
        &[&given[..], &["--randomise", "all"]].concat(),
        &["--randomise", "cannot be used with", "--predictions"],
    );
}

/// An interrupted evaluation goes on under the same weights alone.
#[test]
fn an_evaluation_of_other_weights_is_another() {
    let desk = Desk::new();
    let evaluate =
        |more: &[&str]| desk.run(&[&["evaluate"], &DATA[..], &["-o", "scored"], more].concat());
    let mut data: Value = serde_json::from_slice(&desk.read("squad.json")).unwrap();
    data["data"][0]["paragraphs"][0]["qas"][8]["question"] = "who ".repeat(90).into();
    desk.write("squad.json", data.to_string());
    // The last question stops it; what is before it may be kept.
    assert_eq!(evaluate(&[]).code, Some(2));
    let ran = evaluate(&["--randomise", "all"]);
    ran.refused(&["scored"]);
}
