//! What goes to which stream, and how it looks there.

use std::io::pipe;
use std::process::Stdio;

use safetensors::Dtype;

use crate::desk::{Desk, QUESTION, Ran, Tensor};

const ESCAPE: char = '\u{1b}';

#[test]
fn piped_output_is_plain_and_eighty_columns_wide() {
    let desk = Desk::new();
    let ran = desk.explain(&[]).succeeded();
    assert!(!ran.stdout.contains(ESCAPE));
    assert_eq!(ran.stderr, "");
    for line in ran.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for heading in [
        "question", "answer", "target", "method", "words", "layer 1", "output", "heads",
    ] {
        let found = ran.stdout.lines().any(|line| line.starts_with(heading));
        assert!(found, "no {heading} in:\n{}", ran.stdout);
    }
    assert!(ran.stdout.contains(QUESTION));
    // What a terminal could do is of no matter where there is none.
    let mut command = desk.command(&[
        "explain",
        QUESTION,
        "--passage",
        "tower.txt",
        "--model",
        "model",
    ]);
    command
        .env("COLORTERM", "truecolor")
        .env("TERM", "xterm-256color")
        .env("FORCE_COLOR", "3");
    assert_eq!(Ran::of(command.output().unwrap()).stdout, ran.stdout);
}

#[test]
fn colours_come_when_asked_for_and_only_then() {
    let desk = Desk::new();
    let run = |more: &[&str], environment: &[(&str, &str)]| {
        let ask = [
            "explain",
            QUESTION,
            "--passage",
            "tower.txt",
            "--model",
            "model",
        ];
        let mut command = desk.command(&[&ask[..], more].concat());
        command.envs(environment.iter().copied());
        Ran::of(command.output().unwrap()).succeeded().stdout
    };
    let always = run(&["--color", "always"], &[]);
    assert!(
        always.contains("\u{1b}[") && always.contains("8;5;"),
        "256 colours"
    );
    let true_colour = run(&["--color", "always"], &[("COLORTERM", "truecolor")]);
    assert!(true_colour.contains("8;2;"), "true colour");
    let never = run(&["--color", "never"], &[("FORCE_COLOR", "3")]);
    assert!(!never.contains(ESCAPE));
    assert!(!run(&[], &[("NO_COLOR", "1")]).contains(ESCAPE));
    let shared = run(&["--color", "always", "--scale", "shared"], &[]);
    assert_ne!(shared, always);
}

#[test]
fn a_passage_cannot_steer_the_terminal() {
    let desk = Desk::new();
    desk.write(
        "tower.txt",
        "The \u{1b}]0;gotcha\u{7}tower \u{1b}[31mwas\u{9b}2J opened\r in 1893.",
    );
    let ran = desk.explain(&["--answer", "1893"]).succeeded();
    let control = |c: char| c.is_control() && c != '\n';
    assert!(!ran.stdout.contains(control), "{:?}", ran.stdout);
}

#[test]
fn notes_go_to_standard_error_and_results_to_standard_output() {
    let desk = Desk::new();
    let plain = desk.explain(&[]).succeeded();
    desk.edit_tensors(|tensors| {
        let pooler = Tensor {
            dtype: Dtype::F32,
            shape: vec![1],
            bytes: vec![0; 4],
        };
        tensors.insert("bert.pooler.dense.bias".to_owned(), pooler);
    });
    let noted = desk.explain(&[]).succeeded();
    assert_eq!(noted.stdout, plain.stdout);
    assert!(
        noted.stderr.starts_with("note: model.safetensors: "),
        "{}",
        noted.stderr
    );
    assert!(noted.stderr.contains("bert.pooler.dense.bias"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure_and_costs_no_file() {
    let desk = Desk::new();
    let explain = [
        "explain",
        QUESTION,
        "--passage",
        "tower.txt",
        "--model",
        "model",
        "-o",
        "x.json",
    ];
    let audit = ["audit", "--data", "squad.json", "--model", "model"];
    for args in [&explain[..], &audit[..]] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut command = desk.std_command(args);
        command.stdout(writer).stderr(Stdio::piped());
        let ran = Ran::of(command.spawn().unwrap().wait_with_output().unwrap()).succeeded();
        assert_eq!(ran.stderr, "");
    }
    desk.read_explanation("x.json");
}

#[test]
fn the_check_fails_where_no_word_matters() {
    let desk = Desk::new();
    // One embedding for all words: masking changes nothing, so no draw can be beaten.
    desk.edit_tensors(|tensors| {
        let words = "bert.embeddings.word_embeddings.weight";
        tensors.get_mut(words).unwrap().map(|_| 0.5);
    });
    let ask = [
        "explain",
        "When?",
        "--passage",
        "tower.txt",
        "--model",
        "model",
        "--check",
    ];
    let ran = desk.run(&[&ask[..], &["-o", "x.json"]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stdout
            .contains("FAILED: it lowers the target by more than 0 of 10 draws"),
        "{}",
        ran.stdout
    );
    desk.read_explanation("x.json");
    // Too few words for random draws to be other words: no verdict, and no failure.
    desk.write("tower.txt", "opened 1893");
    let ran = desk.run(&ask).succeeded();
    assert!(
        ran.stdout.contains("no verdict: 4 words are too few"),
        "{}",
        ran.stdout
    );
}

#[test]
fn help_and_version_are_results() {
    let desk = Desk::new();
    for args in [
        &["--help"][..],
        &["explain", "--help"],
        &["audit", "--help"],
        &["--version"],
    ] {
        let ran = desk.run(args).succeeded();
        assert!(
            ran.stdout.contains("spanlift") && ran.stderr.is_empty(),
            "{ran:?}"
        );
    }
    let codes = desk.run(&["--help"]).stdout;
    assert!(codes.contains("Exit codes"), "{codes}");
}
