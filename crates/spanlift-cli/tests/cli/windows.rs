//! `--all-windows`: every window of a passage in one file, and the document that they make.

use spanlift_explanation::{Explanation, Part, Windows};

use crate::desk::{Desk, PASSAGE, Ran};
use crate::explain::adds_up;

/// Six tokens of the question and three special ones leave room for 19 of the passage's 25, and for three windows.
const THREE: [&str; 5] = ["--all-windows", "--max-tokens", "28", "--stride", "5"];

fn all(desk: &Desk, more: &[&str]) -> (Windows, Ran) {
    let more = [&THREE[..], &["-o", "all.json"], more].concat();
    let ran = desk.explain(&more).succeeded();
    let text = String::from_utf8(desk.read("all.json")).unwrap();
    (Windows::from_json(&text).unwrap(), ran)
}

fn near(got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert!(
            (got - want).abs() <= 1e-5 * want.abs().max(1.0),
            "{got} {want}"
        );
    }
}

#[test]
fn every_window_is_there_and_the_answers_is_what_explain_gives() {
    let desk = Desk::new();
    for threshold in ["1000", "-1000"] {
        let more = ["--null-threshold", threshold];
        let (found, ran) = all(&desk, &more);
        assert_eq!(found.windows.len(), 3);
        found.windows.iter().for_each(adds_up);
        let got = &found.windows[found.document.answer_window];
        let want = desk.explanation(&[&THREE[1..], &more].concat());
        assert_eq!(got.window, want.window);
        assert_eq!(got.tokens, want.tokens);
        assert_eq!(got.answer.text, want.answer.text);
        assert_eq!(got.candidates.len(), want.candidates.len());
        near(&got.word_score, &want.word_score);
        for (got, want) in got.layers.iter().zip(&want.layers) {
            near(&got.score, &want.score);
        }
        // On standard output: the answer's head, a line each, and a document without sums.
        let lines: Vec<&str> = ran.stdout.lines().collect();
        let index = found.document.answer_window;
        let marked = format!("* {} ", index + 1);
        assert_eq!(
            lines
                .iter()
                .filter(|line| line.starts_with(&marked))
                .count(),
            1
        );
        for window in &found.windows {
            let bounds = &window.window;
            let start = format!(
                "{:<11}{} to {}  ",
                format!("  {}", bounds.index + 1),
                bounds.start,
                bounds.end
            );
            let line = lines.iter().find(|line| {
                line.get(1..)
                    .is_some_and(|line| line.starts_with(&start[1..]))
            });
            let answer = match window.answer.text.split('\n').next() {
                Some(text) if window.answer.has_answer => text,
                _ => "no answer",
            };
            let shown: String = answer.chars().take(12).collect();
            assert!(line.unwrap().contains(&shown), "{line:?}\n{answer}");
        }
        let document = ran.stdout.split("document").nth(1).unwrap();
        let document = document.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(document.contains("do not add up"), "{document}");
        assert!(
            !document.contains("sum ") && !document.contains("hold"),
            "{document}"
        );
        assert!(
            ran.stderr
                .starts_with("note: --stride: an answer of more than 15")
        );
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
}

#[test]
fn the_document_has_the_passage_once() {
    let desk = Desk::new();
    let (found, _) = all(&desk, &[]);
    let whole: Explanation = desk.explanation(&[]);
    assert_eq!(found.document.tokens, whole.tokens);
    let passage = whole.tokens.iter().filter(|t| t.part == Part::Passage);
    assert_eq!(passage.count(), 25, "the constant above counts on it");
    let windows: Vec<usize> = found.document.window.clone();
    assert!((0..3).all(|window| windows.contains(&window)));
    assert_eq!(found.windows[2].window.end, PASSAGE.chars().count());
}

#[test]
fn one_window_and_several_files() {
    let desk = Desk::new();
    let more = [
        "--all-windows",
        "-o",
        "a.json",
        "-o",
        "b.JSON",
        "--color",
        "always",
    ];
    let ran = desk.explain(&more).succeeded();
    assert!(ran.stdout.contains("\u{1b}["), "colours were asked for");
    assert_eq!(desk.read("a.json"), desk.read("b.JSON"));
    let text = String::from_utf8(desk.read("a.json")).unwrap();
    let found = Windows::from_json(&text).unwrap();
    assert_eq!(found.windows, [desk.explanation(&[])]);
    assert_eq!(found.document.word_score, found.windows[0].word_score);
    // What `render` draws is one window.
    desk.refuses(
        &["render", "a.json"],
        &["`a.json` is no explanation", "got \"spanlift.windows\""],
    );
}

#[test]
fn what_does_not_go_with_all_windows() {
    let desk = Desk::new();
    for (name, words) in [
        ("x.svg", ["`x.svg`", ".json"]),
        ("x.html", ["`x.html`", "spanlift render"]),
        ("x.png", ["--output", "--all-windows"]),
    ] {
        desk.refuses_to_explain(&["--all-windows", "-o", name], &words);
    }
    for more in [
        &["--check"][..],
        &["--figures", "figures"],
        &["--edges", "e.safetensors"],
        &["--attention", "a.safetensors"],
    ] {
        desk.refuses_to_explain(
            &[&["--all-windows"], more].concat(),
            &[more[0], "--all-windows"],
        );
    }
    desk.refuses_to_explain(
        &["--all-windows", "--answer", "1877", "-o", "x.json"],
        &["answer", "1877", "every window"],
    );
    // Ids for each token of a window do not fit the shorter last one.
    let ids = format!("[{}]", ["5"; 28].join(","));
    desk.write("ids.json", ids);
    let tokens = [
        &THREE[..],
        &["--reference", "tokens:ids.json", "-o", "x.json"],
    ]
    .concat();
    desk.refuses_to_explain(&tokens, &["window 3", "expected 24 ids", "got 28"]);
}

#[test]
fn a_stride_that_may_cut_an_answer_is_said() {
    let desk = Desk::new();
    let ran = desk
        .explain(&["--max-tokens", "28", "--stride", "19"])
        .succeeded();
    assert!(
        ran.stderr.contains("an answer of more than 1 token may"),
        "{}",
        ran.stderr
    );
    let ran = desk.explain(&[]).succeeded();
    assert_eq!(ran.stderr, "");
}
