//! A few thousand inputs of each target, always the same.

use spanlift_fuzz::{Plan, run, targets};

/// The part of the long run's count.
const PART: u64 = 200;

#[test]
fn damaged_files_are_read_or_refused() {
    let mut tried = 0;
    for target in targets::all() {
        let plan = Plan {
            seed: 1,
            from: 0,
            inputs: target.inputs / PART,
            threads: 2,
            folder: None,
        };
        let report = run(&target, &plan).expect("a run");
        assert!(
            report.findings.is_empty(),
            "{}: {:#?}\nmade again by: cargo run --release -p spanlift-fuzz -- {} --from INDEX --inputs 1",
            target.name,
            report.findings,
            target.name
        );
        assert_eq!(report.inputs, plan.inputs, "{}", target.name);
        let refused = report.inputs - report.read;
        assert!(
            report.read > report.inputs / 500 && refused > report.inputs / 500,
            "{}: {} read, {refused} refused: too one-sided to say much",
            target.name,
            report.read
        );
        tried += report.inputs;
    }
    assert!(tried >= 50_000, "{tried} inputs");
}
