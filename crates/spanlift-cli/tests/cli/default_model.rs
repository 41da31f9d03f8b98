//! The embedded model, with the README's passage.

use std::fs;
use std::path::{Path, PathBuf};

use crate::desk::Desk;
use crate::explain::adds_up;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What stands behind `cargo run --release --` in the README's first command.
fn readme_command() -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut lines = readme.lines();
    let command = lines.find_map(|line| line.strip_prefix("cargo run --release -- "));
    let pieces = command.unwrap().split('"').enumerate();
    let words = |(n, piece): (usize, &str)| match n % 2 {
        1 => vec![piece.to_owned()],
        _ => piece.split_whitespace().map(str::to_owned).collect(),
    };
    pieces.flat_map(words).collect()
}

#[test]
fn the_readmes_command_answers_1979_and_the_check_holds() {
    let desk = Desk::new();
    fs::create_dir(desk.path("examples")).unwrap();
    let passage = fs::read(root().join("examples/harbour.txt")).unwrap();
    desk.write("examples/harbour.txt", passage);
    let mut command = readme_command();
    command.extend(["--check", "-o", "x.json"].map(str::to_owned));
    let ran = desk.run(&command).succeeded();
    let answer = ran.stdout.lines().find(|line| line.starts_with("answer"));
    assert_eq!(answer, Some("answer     1979"));
    assert!(
        ran.stdout
            .contains("passed: it lowers the target by more than"),
        "{}",
        ran.stdout
    );
    assert_eq!(ran.stderr, "");
    let found = desk.read_explanation("x.json");
    assert_eq!(
        (found.model.layers, found.model.heads, found.model.hidden),
        (6, 12, 384)
    );
    assert_eq!(found.answer.text, "1979");
    adds_up(&found);
}

#[test]
fn two_threads_share_the_work_and_change_nothing() {
    let desk = Desk::new();
    for threads in ["1", "2"] {
        let out = format!("{threads}.json");
        let ask = [
            "explain",
            "When was the tower opened?",
            "--passage",
            "tower.txt",
        ];
        desk.run(&[&ask[..], &["--threads", threads, "-o", &out]].concat())
            .succeeded();
    }
    assert!(desk.read("1.json") == desk.read("2.json"));
}
