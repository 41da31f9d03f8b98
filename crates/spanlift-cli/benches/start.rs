//! The program from its start to its end, on the embedded default model: `cargo bench -p spanlift-cli --bench start`.
//!
//! `explain` on examples/harbour.txt and a sentence more, a passage of at least 150 tokens, beside the program's own start (`--version`).
//! The answer, the sums and the length are checked first; times are medians of runs in turn, each a process of its own.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use serde_json::Value;

const RUNS: usize = 15;
const TOKENS: usize = 150;
const MORE: &str = "The harbour office keeps a list of all who came.";
const QUESTION: &str = "When did Ida Marrow start the Night of Open Doors?";

fn run(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_spanlift");
    let output = Command::new(program).args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {told}");
    output
}

/// Seconds, from the fastest to the slowest.
fn told(name: &str, mut seconds: Vec<f64>) {
    seconds.sort_by(f64::total_cmp);
    let [least, middle, most] =
        [0, seconds.len() / 2, seconds.len() - 1].map(|at| 1e3 * seconds[at]);
    println!("{name:24} {middle:5.0} ms ({least:.0} to {most:.0})");
}

fn main() {
    let passage = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/harbour.txt");
    let text = std::fs::read_to_string(passage).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let passage = folder.path().join("passage.txt");
    std::fs::write(&passage, format!("{} {MORE}\n", text.trim_end())).unwrap();
    let explain = ["explain", QUESTION, "--passage", passage.to_str().unwrap()];
    let file = folder.path().join("x.json");
    run(&[&explain[..], &["-o", file.to_str().unwrap()]].concat());
    let found: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let tokens = found["tokens"].as_array().unwrap();
    let tokens = tokens.iter().filter(|token| token["part"] == "passage");
    let tokens = tokens.count();
    assert!(tokens >= TOKENS, "a passage of {tokens} tokens");
    assert_eq!(found["answer"]["text"], "1979");
    assert_eq!(found["completeness"]["holds"], true);

    let seconds = |arguments: &[&str]| {
        let start = Instant::now();
        run(arguments);
        start.elapsed().as_secs_f64()
    };
    let both = (0..RUNS).map(|_| (seconds(&["--version"]), seconds(&explain)));
    let (start, whole) = both.unzip();
    told("spanlift --version", start);
    told("spanlift explain", whole);
    println!("a passage of {tokens} tokens, {RUNS} runs");
}
