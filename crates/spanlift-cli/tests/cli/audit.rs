//! `audit`: the distribution of the completeness error over a SQuAD file.

use serde_json::json;

use crate::desk::{Desk, Ran, squad};

const AUDIT: [&str; 5] = ["audit", "--data", "squad.json", "--model", "model"];

fn audit(desk: &Desk, more: &[&str]) -> Ran {
    desk.run(&[&AUDIT[..], more].concat())
}

/// The numbers of the line of quantiles.
fn quantiles(report: &str) -> Vec<f64> {
    let line = report
        .lines()
        .find(|line| line.trim_start().starts_with("median"))
        .unwrap();
    let numbers: Vec<f64> = line
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    // 90 and 99 of `90 %` and `99 %` are numbers too.
    assert_eq!(
        (numbers.len(), numbers[1], numbers[3]),
        (6, 90.0, 99.0),
        "{line}"
    );
    vec![numbers[0], numbers[2], numbers[4], numbers[5]]
}

#[test]
fn a_good_run_counts_the_questions_and_names_the_worst() {
    let desk = Desk::new();
    let ran = audit(&desk, &[]).succeeded();
    assert_eq!(ran.stderr, "");
    let first = "9 questions of squad.json, reference mask, rule rescale, f32\n";
    assert!(ran.stdout.starts_with(first), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("bound 1e-4, kept by all"),
        "{}",
        ran.stdout
    );
    let quantiles = quantiles(&ran.stdout);
    assert!(
        quantiles.is_sorted() && quantiles[3] < 1e-5,
        "{quantiles:?}"
    );
    // The worst is what `explain` says of that question.
    let worst = ran
        .stdout
        .lines()
        .find_map(|line| line.trim().strip_prefix("worst: question "));
    let id = worst.unwrap().split(',').next().unwrap();
    let ask = [
        "explain",
        "--data",
        "squad.json",
        "--id",
        id,
        "--model",
        "model",
        "-o",
        "x.json",
    ];
    desk.run(&ask).succeeded();
    let alone = desk.read_explanation("x.json").completeness.worst;
    // Beside others a question is rounded as it is alone.
    assert_eq!(format!("{alone:.1e}").parse(), Ok(quantiles[3]));
}

#[test]
fn the_limit_keeps_the_first_questions() {
    let desk = Desk::new();
    let ran = audit(&desk, &["--limit", "1"]).succeeded();
    assert!(
        ran.stdout.starts_with("1 question of squad.json"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("worst: question opened,"),
        "{}",
        ran.stdout
    );
    let most = usize::MAX.to_string();
    assert!(
        audit(&desk, &["--limit", &most])
            .succeeded()
            .stdout
            .starts_with("9 questions")
    );
}

#[test]
fn several_references_are_audited_in_turn_each_as_if_alone() {
    let desk = Desk::new();
    let alone =
        ["mask", "pad", "zero"].map(|r| audit(&desk, &["--reference", r]).succeeded().stdout);
    let together = audit(&desk, &["--reference", "mask,pad,zero"]).succeeded();
    assert_eq!(together.stdout, alone.concat());
}

#[test]
fn one_precision_is_held_against_the_other() {
    let desk = Desk::new();
    let plain = audit(&desk, &[]).succeeded().stdout;
    let mut found = Vec::new();
    for [precision, other] in [["f32", "f64"], ["f64", "f32"]] {
        let ran = audit(&desk, &["--precision", precision, "--against", other]).succeeded();
        let start = format!("  against {other}: ");
        let at = ran.stdout.find(&start).unwrap_or_else(|| panic!("{ran:?}"));
        let (report, rest) = ran.stdout.split_at(at);
        assert_eq!(report == plain, precision == "f32", "{report}");
        assert!(!rest.contains("left out"), "{rest}");
        let (tokens, heads) = rest.split_once("  heads by token\n").unwrap();
        let both = [tokens, heads].map(quantiles);
        for part in &both {
            // f32 is not f64, and near it.
            assert!(
                part.is_sorted() && part[3] > 1e-8 && part[3] < 1e-5,
                "{rest}"
            );
        }
        found.push(both);
    }
    // As far from either end.
    assert_eq!(found[0], found[1]);
    desk.refuses_audit(
        &["--against", "f32"],
        &["error: --against: expected another precision than --precision, got the same"],
    );
    desk.refuses_audit(&["--against", "f16"], &["possible values: f32, f64"]);
}

#[test]
fn the_common_options_are_the_audits_too() {
    let desk = Desk::new();
    desk.write_gzip("packed", squad().to_string().as_bytes());
    let ran = desk.run(&[
        "audit",
        "--data",
        "packed",
        "--model",
        "model",
        "--precision",
        "f64",
        "--rule",
        "reveal-cancel",
        "--max-tokens",
        "40",
        "--stride",
        "5",
        "--threads",
        "1",
        "--null-threshold",
        "-3",
    ]);
    let report = ran.succeeded().stdout;
    assert!(report.starts_with("9 questions of packed, reference mask, rule reveal-cancel, f64\n"));
    assert!(
        report.contains("bound 1e-10, kept by all") && quantiles(&report)[3] < 1e-12,
        "{report}"
    );
}

#[test]
fn a_question_that_cannot_be_explained_is_named_and_the_others_are_reported() {
    let desk = Desk::new();
    desk.edit_json("squad.json", |squad| {
        let long = json!({ "id": "endless", "question": "who ".repeat(61), "answers": [] });
        let questions = &mut squad["data"][0]["paragraphs"][0]["qas"];
        questions.as_array_mut().unwrap().insert(1, long);
    });
    let ran = audit(&desk, &[]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(
        ran.stdout.starts_with("9 questions of squad.json"),
        "{}",
        ran.stdout
    );
    assert_eq!(quantiles(&ran.stdout).len(), 4);
    let (named, error) = ran.stderr.split_once('\n').unwrap();
    assert!(
        named.starts_with("WARNING: question `endless`: the question has 61 tokens"),
        "{named}"
    );
    assert!(
        error.starts_with("error: 1 explanation could not be made"),
        "{error}"
    );
    // Where none can be made there is nothing to report.
    desk.refuses_audit(
        &["--max-tokens", "4"],
        &["error: 10 explanations could not be made"],
    );
}

#[test]
fn a_broken_bound_is_exit_code_1_and_counted() {
    let desk = Desk::new();
    desk.edit_tensors(|tensors| {
        let positions = "bert.embeddings.position_embeddings.weight";
        tensors.get_mut(positions).unwrap().map(|x| x + 1e5);
    });
    let ran = audit(&desk, &["--reference", "mask,pad"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(
        ran.stdout.matches("BROKEN BY ").count(),
        2,
        "{}",
        ran.stdout
    );
    for reference in ["mask", "pad"] {
        let warning = format!("WARNING: scores do not add up under the reference `{reference}`");
        assert!(ran.stderr.contains(&warning), "{}", ran.stderr);
    }
    assert!(quantiles(&ran.stdout)[3] > 1e-3);
}

impl Desk {
    /// Exit code 2 and nothing on standard output; warnings may come before the error.
    fn refuses_audit(&self, more: &[&str], words: &[&str]) {
        let ran = audit(self, more);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        for word in words {
            assert!(
                ran.stderr.contains(word),
                "{word:?} is not in:\n{}",
                ran.stderr
            );
        }
    }
}
