//! `train`: a tiny model fine-tuned, killed, and gone on with.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::desk::{Desk, squad};

const TRAIN: [&str; 7] = [
    "train",
    "--base",
    "model",
    "--data",
    "squad.json",
    "--out",
    "trained",
];

fn args<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&TRAIN[..], &["--max-tokens", "64"], more].concat()
}

fn events(desk: &Desk) -> Vec<Value> {
    let text = String::from_utf8(desk.read("trained/metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_model_is_trained_measured_and_used() {
    let desk = Desk::new();
    let more = [
        "--dev",
        "squad.json",
        "--steps",
        "150",
        "--batch",
        "4",
        "--dropout",
        "0",
        "--attention-dropout",
        "0",
    ];
    let more = [
        &more[..],
        &[
            "--rate",
            "5e-3",
            "--evaluate-every",
            "50",
            "--save-every",
            "40",
        ],
    ]
    .concat();
    let ran = desk.run(&args(&more)).succeeded();
    assert!(
        ran.stdout
            .starts_with("150 steps, 50.00 epochs of 9 windows"),
        "{}",
        ran.stdout
    );
    let events = events(&desk);
    let losses: Vec<f64> = events
        .iter()
        .filter_map(|event| event["step"]["loss"].as_f64())
        .collect();
    assert_eq!(losses.len(), 150);
    assert!(losses[0] > 1.0 && losses[149] < 0.2, "{losses:?}");
    let dev: Vec<&Value> = events
        .iter()
        .filter(|event| !event["dev"].is_null())
        .collect();
    assert_eq!(dev.len(), 3);
    assert!(
        dev[2]["dev"]["exact"].as_f64().unwrap() > 85.0,
        "{}",
        dev[2]
    );
    assert!(
        ran.stderr.contains("of 9 dev questions, the best so far"),
        "{}",
        ran.stderr
    );
    // What was written is a model like any other, and answers as the run said.
    let best = [
        "evaluate",
        "--data",
        "squad.json",
        "--model",
        "trained/best",
        "--max-tokens",
        "64",
    ];
    let evaluated = desk.run(&best).succeeded();
    let exact = format!("{:.2}", dev[2]["dev"]["exact"].as_f64().unwrap());
    assert!(
        evaluated.stdout.contains(&exact),
        "{exact}: {}",
        evaluated.stdout
    );
    let config: Value = serde_json::from_slice(&desk.read("trained/last/config.json")).unwrap();
    assert_eq!(config["architectures"][0], "BertForQuestionAnswering");
    // Nothing is left to do.
    let again = desk.run(&args(&more)).succeeded();
    assert!(
        again.stderr.contains("`trained`: all 150 steps are done"),
        "{}",
        again.stderr
    );
    desk.run(&["evaluate", "--data", "squad.json", "--model", "trained"])
        .refused(&[
            "`trained`: expected the folder of a checkpoint, got that of a training",
            "`trained/last` and `trained/best`",
        ]);
    let half = [&more[..], &["--f16"]].concat();
    desk.run(&args(&half))
        .refused(&["settings.f16: it has false, asked for true"]);
}

#[test]
fn probe_questions_show_how_the_attention_forms() {
    let desk = Desk::new();
    let more = [
        "--steps",
        "25",
        "--batch",
        "4",
        "--rate",
        "5e-3",
        "--probe",
        "squad.json",
        "--every",
        "10",
    ];
    let more = [&more[..], &["--reference", "zero"]].concat();
    let ran = desk.run(&args(&more)).succeeded();
    assert!(
        ran.stdout
            .contains("spanlift study training trained -o training.html"),
        "{}",
        ran.stdout
    );
    let picture = String::from_utf8(desk.read("trained/loss.svg")).unwrap();
    assert!(
        picture.contains("running mean") && picture.trim_end().ends_with("</svg>"),
        "{picture}"
    );
    let probed: Vec<u64> = events(&desk)
        .iter()
        .filter_map(|event| event["probe"]["step"].as_u64())
        .collect();
    assert_eq!(probed, [0, 10, 20, 25]);

    let study = [
        "study",
        "training",
        "trained",
        "-o",
        "training.html",
        "--format",
        "json",
        "--tables",
        "tables",
    ];
    let shown = desk.run(&study).succeeded();
    assert!(
        shown
            .stdout
            .contains("9 questions of squad.json; 9 probe questions\n"),
        "{}",
        shown.stdout
    );
    let steps: Value = serde_json::from_slice(&desk.read("tables/steps.json")).unwrap();
    let steps = steps["rows"].as_array().unwrap();
    assert_eq!(
        steps
            .iter()
            .map(|row| row["step"].as_u64().unwrap())
            .collect::<Vec<_>>(),
        probed
    );
    let page = String::from_utf8(desk.read("training.html")).unwrap();
    assert!(page.contains("\"format\":\"spanlift.training\""));
    // Each is a run like any other.
    let profile = desk
        .run(&["study", "profile", "trained/probes/step-0000020"])
        .succeeded();
    assert!(
        profile.stdout.contains("reference zero"),
        "{}",
        profile.stdout
    );

    // A run that lies there but is no probe of this training.
    let stray = "trained/probes/step-0000022";
    let run = [
        "attribute",
        "--data",
        "squad.json",
        "--model",
        "model",
        "--out",
        stray,
    ];
    desk.run(&run).succeeded();
    desk.run(&study).refused(&[
        "step-0000022` is no probe of this training: reference: expected zero, got mask",
    ]);
    fs::remove_dir_all(desk.path(stray)).unwrap();

    // One that was killed while it explained is left out until it is done.
    fs::remove_dir_all(desk.path("trained/probes/step-0000025/parts")).unwrap();
    desk.edit_json("trained/probes/step-0000025/run.json", |run| {
        run["finished"] = Value::Null
    });
    let shown = desk.run(&study).succeeded();
    assert!(
        shown
            .stderr
            .contains("at 1 step not all probe questions are explained yet"),
        "{}",
        shown.stderr
    );

    desk.run(&["study", "training", "tables"])
        .refused(&["`tables` is no training"]);
    desk.run(&args(&["--steps", "25", "--every", "10"]))
        .refused(&["--probe <FILE>"]);
    desk.run(&args(&["--steps", "25", "--probe", "nowhere.json"]))
        .refused(&["--probe", "nowhere.json"]);
    let other = [&more[..9], &["5", "--reference", "zero"]].concat();
    desk.run(&args(&other)).refused(&["probe.every"]);
}

/// `kill` is SIGKILL: nothing of the process runs after it. Dev and probe questions are answered and explained on the way.
#[test]
fn a_killed_run_goes_on_to_the_same_weights() {
    let more = ["--steps", "400", "--batch", "4", "--save-every", "7"];
    let dev = ["--dev", "squad.json", "--evaluate-every", "60"];
    let probe = ["--probe", "squad.json", "--every", "100"];
    let more = [&more[..], &dev, &probe].concat();
    let desk = Desk::new();
    desk.run(&args(&more)).succeeded();
    fs::rename(desk.path("trained"), desk.path("whole")).unwrap();

    let done = |desk: &Desk| {
        let lines = fs::read_to_string(desk.path("trained/metrics.jsonl")).unwrap_or_default();
        lines.lines().count()
    };
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut seen = Vec::new();
    for killed in 1..=3 {
        let mut command = desk.std_command(&args(&more));
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = quiet.spawn().unwrap();
        while done(&desk) < 60 * killed && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        seen.push(done(&desk));
    }
    assert!(
        seen[0] < seen[1] && seen[1] < seen[2] && seen[2] < 400,
        "{seen:?}"
    );
    desk.run(&args(&more)).succeeded();
    let files = [
        "last/model.safetensors",
        "best/model.safetensors",
        "probes/step-0000000/parts/chunk-00000.parquet",
        "probes/step-0000400/parts/chunk-00000.parquet",
    ];
    for file in files {
        let [got, want] = ["trained", "whole"].map(|run| desk.read(&format!("{run}/{file}")));
        assert!(got == want, "{file}");
    }
    // All but the time.
    let events = |run: &str| -> Vec<Value> {
        let text = String::from_utf8(desk.read(&format!("{run}/metrics.jsonl"))).unwrap();
        let event = |line: &str| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            if let Some(step) = event.get_mut("step").and_then(Value::as_object_mut) {
                step.remove("seconds");
            }
            event
        };
        text.lines().map(event).collect()
    };
    let found = events("trained");
    assert_eq!(found.len(), 400 + 7 + 5);
    assert!(found == events("whole"));
}

#[test]
fn a_base_without_a_head_gets_one_that_is_drawn() {
    let desk = Desk::new();
    desk.edit_tensors(|tensors| tensors.retain(|name, _| !name.starts_with("qa_outputs")));
    let run = |seed: &str| {
        let ran = desk
            .run(&args(&["--steps", "1", "--seed", seed]))
            .succeeded();
        assert!(
            ran.stderr.contains("a fresh one is drawn"),
            "{}",
            ran.stderr
        );
        let bytes = desk.read("trained/last/model.safetensors");
        fs::remove_dir_all(desk.path("trained")).unwrap();
        bytes
    };
    let one = run("1");
    assert!(run("1") == one);
    assert!(run("2") != one);
}

/// Its weights are written under the names that it was read by.
#[test]
fn a_bottleneck_is_trained_and_read_again() {
    let desk = Desk::new();
    desk.add_model("mobile", "mobilebert");
    // It has 48 positions, and some of the desk's questions are longer.
    let mut data = squad();
    data["data"][0]["paragraphs"][0]["qas"]
        .as_array_mut()
        .unwrap()
        .truncate(2);
    desk.write("squad.json", data.to_string());
    let train = [
        "train",
        "--base",
        "mobile",
        "--data",
        "squad.json",
        "--out",
        "trained",
        "--max-tokens",
        "48",
        "--steps",
        "3",
        "--rate",
        "1e-3",
    ];
    desk.run(&train).succeeded();
    let answer = |model: &str| {
        let args = [
            "evaluate",
            "--data",
            "squad.json",
            "--model",
            model,
            "--max-tokens",
            "48",
        ];
        desk.run(&args).succeeded().stdout
    };
    assert!(
        answer("trained/last").contains("2 questions"),
        "{}",
        answer("trained/last")
    );
    let read = |name: &str| {
        crate::desk::tensors(&desk.read(name))
            .into_keys()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        read("trained/last/model.safetensors"),
        read("mobile/model.safetensors")
    );
}

#[test]
fn minutes_become_steps_once() {
    let desk = Desk::new();
    let more = ["--minutes", "0.01", "--save-every", "100000"];
    let ran = desk.run(&args(&more)).succeeded();
    assert!(ran.stderr.contains("a step takes "), "{}", ran.stderr);
    let plan: Value = serde_json::from_slice(&desk.read("trained/train.json")).unwrap();
    let steps = plan["settings"]["steps"].as_u64().unwrap();
    assert_eq!(events(&desk).len() as u64, steps);
    let again = desk.run(&args(&more)).succeeded();
    assert!(!again.stderr.contains("a step takes "), "{}", again.stderr);
}

#[test]
fn what_cannot_be_trained_is_said() {
    let desk = Desk::new();
    desk.run(&args(&["--steps", "1"])).succeeded();
    desk.add_model("other", "four-layers");
    for (more, words) in [
        (
            &["--steps", "2"][..],
            "settings.steps: it has 1, asked for 2",
        ),
        (
            &["--steps", "1", "--limit", "3"],
            "data.questions: it has 9, asked for 3",
        ),
        (
            &["--steps", "1", "--freeze-layers", "3"],
            "--freeze-layers: the model has 2 layers, got 3",
        ),
        (&["--steps", "1", "--dev", "none.json"], "none.json"),
        (&["--steps", "0"], "--steps"),
        (&["--rate", "0"], "expected a number above 0"),
        (&["--dropout", "1"], "expected a number from 0 to below 1"),
        (
            &["--attention-dropout", "-0.1"],
            "expected a number from 0 to below 1",
        ),
    ] {
        desk.run(&args(more)).refused(&[words]);
    }
    let other = [
        "train",
        "--base",
        "other",
        "--data",
        "squad.json",
        "--out",
        "trained",
        "--steps",
        "1",
    ];
    desk.run(&other)
        .refused(&["train.json", "base.layers: it has 2, asked for 4"]);
}

/// Each is said of the option that was typed.
#[test]
fn what_is_wrong_is_said_of_its_option() {
    let desk = Desk::new();
    for (more, words) in [
        (
            &["--dev", "nowhere.json"][..],
            "error: --dev: `nowhere.json`",
        ),
        (
            &["--probe", "nowhere.json"],
            "error: --probe: `nowhere.json`",
        ),
        (&["--max-tokens", "5"], "error: --data: question `"),
        (&["--rate", "-1"], "'--rate <X>': expected a number above 0"),
        (&["--minutes", "1e300"], "expected at most 1000000"),
        (&["--steps", "0"], "expected at least 1"),
    ] {
        desk.run(&[&TRAIN[..], more].concat()).refused(&[words]);
        assert!(!desk.path("trained").exists(), "{more:?}");
    }
    let base = [
        "train",
        "--base",
        "squad.json",
        "--data",
        "squad.json",
        "--out",
        "trained",
    ];
    desk.run(&base).refused(&["error: --base: "]);
}
