//! `compare`: a data set under several methods.

use serde_json::Value;

use crate::desk::Desk;

const COMPARE: [&str; 7] = [
    "compare",
    "--data",
    "squad.json",
    "--model",
    "model",
    "--out",
    "compared",
];

fn args<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&COMPARE[..], more].concat()
}

#[test]
fn methods_are_compared_chunk_by_chunk() {
    let desk = Desk::new();
    let methods = ["--methods", "deeplift,gradient-x-input,random"];
    let first = desk
        .run(&args(&[&methods[..], &["--chunks", "1..2"]].concat()))
        .succeeded();
    assert_eq!(first.stdout, "1 of 3 chunks are done in compared\n");
    let all = desk
        .run(&args(&[&methods[..], &["--format", "json"]].concat()))
        .succeeded();
    assert!(
        all.stderr
            .contains("`compared`: 1 of 3 chunks there already"),
        "{}",
        all.stderr
    );
    assert!(
        all.stdout
            .starts_with("9 questions of squad.json under 3 methods\n"),
        "{}",
        all.stdout
    );
    for words in [
        "deletion area, masked",
        "sufficiency 20 %, deleted",
        "|sum − Δt| / |Δt|",
        "pearson",
        "overlap",
    ] {
        assert!(
            all.stdout.contains(words),
            "{words:?} is not in {}",
            all.stdout
        );
    }
    for (table, column) in [
        ("faithfulness", "better"),
        ("agreement", "other"),
        ("pairs", "p"),
        ("rows", "value"),
    ] {
        let table: Value =
            serde_json::from_slice(&desk.read(&format!("compared/tables/{table}.json"))).unwrap();
        assert!(!table["rows"][0][column].is_null(), "{table}");
    }
    // The completeness that is printed: DeepLIFT's is none, Gradient × Input's is.
    let line = all
        .stdout
        .lines()
        .find(|line| line.contains("|sum − Δt|"))
        .unwrap();
    let numbers: Vec<f64> = line
        .split_whitespace()
        .rev()
        .take(3)
        .map(|n| n.parse().unwrap())
        .collect();
    assert!(numbers[2] < 1e-4 && numbers[1] > 1e-3, "{line}");
    // Again, there is nothing to do.
    let again = desk.run(&args(&methods)).succeeded();
    assert_eq!(again.stdout, all.stdout);
    // The page shows some of its questions, which are explained once.
    let page = [&methods[..], &["--page", "page.html"]].concat();
    desk.run(&args(&page)).succeeded();
    let html = String::from_utf8(desk.read("page.html")).unwrap();
    assert!(html.contains("<spanlift-study") && html.contains(r#""format":"spanlift.compared""#));
    let examples: Value = serde_json::from_slice(&desk.read("compared/examples.json")).unwrap();
    let shown = examples.as_array().unwrap();
    assert!((1..=6).contains(&shown.len()));
    assert_eq!(shown[0]["methods"].as_array().unwrap().len(), 3);
    desk.run(&args(&page)).succeeded();
    assert_eq!(String::from_utf8(desk.read("page.html")).unwrap(), html);
    let folder = [&methods[..], &["--page", "compared"]].concat();
    desk.run(&args(&folder))
        .refused(&["--page: `compared`: expected a file, got a folder"]);
}

#[test]
fn scores_are_held_against_re_initialised_models_and_other_references() {
    let desk = Desk::new();
    let more = args(&[
        "--methods",
        "deeplift,attention,random",
        "--sanity",
        "3",
        "--format",
        "json",
    ]);
    let ran = desk.run(&more).succeeded();
    for words in [
        "re-initialised down to",
        " layer 2 ",
        " embeddings ",
        "under another reference",
        " zero ",
    ] {
        assert!(
            ran.stdout.contains(words),
            "{words:?} is not in {}",
            ran.stdout
        );
    }
    let table: Value = serde_json::from_slice(&desk.read("compared/tables/sanity.json")).unwrap();
    let rows = table["rows"].as_array().unwrap();
    let of = |metric: &str, method: &str, other: &str| {
        let mut found = rows.iter().filter(|row| {
            row["metric"] == metric && row["method"] == method && row["other"] == other
        });
        found.next().map(|row| row["mean"].as_f64().unwrap())
    };
    // Head, two layers, embeddings.
    assert_eq!(
        rows.iter()
            .filter(|row| row["metric"] == "randomised" && row["method"] == "deeplift")
            .count(),
        4
    );
    // Attention does not see the head; random scores see nothing; a walk sees all of it.
    assert_eq!(of("randomised", "attention", "head"), Some(1.0));
    for stage in ["head", "layer 2", "layer 1", "embeddings"] {
        assert_eq!(of("randomised", "random", stage), Some(1.0));
        assert!(
            of("randomised", "deeplift", stage).unwrap() < 0.9,
            "{stage}"
        );
    }
    assert!(of("reference", "deeplift", "zero").unwrap() < 1.0);
    assert_eq!(of("reference", "attention", "zero"), None);
    // What is there is not done again.
    let again = desk.run(&more).succeeded();
    assert_eq!(again.stdout, ran.stdout);
}

#[test]
fn rules_and_several_references_are_methods_of_their_own() {
    let desk = Desk::new();
    let methods = "deeplift,deeplift:softmax-path,deeplift:sigma-fixed,deep-shap";
    let more = ["--methods", methods, "--limit", "2", "--format", "json"];
    desk.run(&args(&more)).succeeded();
    let table: Value =
        serde_json::from_slice(&desk.read("compared/tables/faithfulness.json")).unwrap();
    let of = |metric: &str| -> Vec<(String, f64)> {
        let rows = table["rows"].as_array().unwrap().iter();
        rows.filter(|row| row["metric"] == metric && row["grouping"] == "all")
            .map(|row| {
                let method = row["method"].as_str().unwrap().to_owned();
                (method, row["mean"].as_f64().unwrap())
            })
            .collect()
    };
    let completeness = of("completeness");
    let names: Vec<&str> = completeness.iter().map(|(name, _)| &**name).collect();
    let expected = [
        "deeplift rescale",
        "deeplift softmax-path",
        "deeplift sigma-fixed",
        "deep-shap",
    ];
    assert_eq!(names, expected);
    // Each has its own rules: the complete ones add up, the others do not.
    let errors: Vec<f64> = completeness.iter().map(|(_, error)| *error).collect();
    assert!(
        errors[0] < 1e-5 && errors[3] < 1e-5 && errors[2] > 1e-3,
        "{errors:?}"
    );
    // A walk for each of five references, the input's pass shared by all.
    let passes = of("backward").iter().map(|(_, n)| *n).collect::<Vec<_>>();
    assert_eq!(passes, [1.0, 1.0, 1.0, 5.0]);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let desk = Desk::new();
    desk.run(&args(&["--methods", "random", "--limit", "1"]))
        .succeeded();
    for (more, words) in [
        (
            &["--methods", "random,random"][..],
            "--methods: expected each once, got `random` under `uniform` twice",
        ),
        (
            &["--methods", "deeplift,deeplift:rescale"],
            "--methods: expected each once, got `deeplift` under `rescale` twice",
        ),
        // Of several references the mean is DeepSHAP already.
        (
            &["--methods", "deeplift,deep-shap", "--reference", "mask+pad"],
            "--methods: expected each once, got `deep-shap` under `rescale` twice",
        ),
        (&["--methods", "magic"], "random, got `magic`"),
        (&["--methods", "deeplift:magic"], "sigma-fixed, got `magic`"),
        (
            &["--methods", "lrp:rescale"],
            "expected a rule of deeplift or deep-shap alone",
        ),
        (
            &["--methods", "random", "--limit", "2"],
            "is of another comparison",
        ),
        (
            &["--methods", "random", "--limit", "1", "--chunks", "0..2"],
            "--chunks: the comparison has 1 chunk, got 0..2",
        ),
        (
            &["--methods", "random", "--limit", "1", "--seed", "1"],
            "methods.random.settings.seed: it has",
        ),
        (
            &["--methods", "random", "--steps", "5"],
            "--steps: it is a setting of integrated-gradients, got --methods without it",
        ),
        (
            &["--page", "page.txt"],
            "--page: `page.txt`: expected a name in .html",
        ),
        (&["--reference", "nothing"], "--reference: expected"),
        (&["--sanity", "2", "--randomise", "all"], "--randomise"),
    ] {
        desk.run(&args(more)).refused(&[words]);
    }
    // The folder of a run is no comparison's, nor the other way round; neither is touched.
    let run = |out: &str| {
        desk.run(&[
            "attribute",
            "--data",
            "squad.json",
            "--limit",
            "1",
            "--out",
            out,
        ])
    };
    run("run").succeeded();
    let plan = desk.read("run/run.json");
    desk.run(&[
        "compare",
        "--data",
        "squad.json",
        "--limit",
        "1",
        "--out",
        "run",
    ])
    .refused(&["run/run.json`: the folder holds a run of explanations"]);
    assert_eq!(desk.read("run/run.json"), plan);
    assert!(!desk.path("run/compare.json").exists());
    run("compared").refused(&["compare.json`: the folder holds a comparison of methods"]);
    assert!(!desk.path("compared/run.json").exists());
    // What is refused leaves no folder.
    desk.run(&["compare", "--data", "nowhere.json", "--out", "new"])
        .refused(&["--data: `nowhere.json`"]);
    assert!(!desk.path("new").exists());
}
