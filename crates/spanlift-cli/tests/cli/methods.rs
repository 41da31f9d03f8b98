//! `--method` and `--compare`.

use spanlift::attribute::rules::PRESETS;
use spanlift_explanation::{Comparison, Explanation, Scope};

use crate::desk::{Desk, QUESTION};

const METHODS: [(&str, Scope); 9] = [
    ("deeplift", Scope::All),
    ("deep-shap", Scope::All),
    ("gradient-x-input", Scope::All),
    ("integrated-gradients", Scope::All),
    ("lrp", Scope::All),
    ("occlusion", Scope::Words),
    ("attention", Scope::Cuts),
    ("rollout", Scope::Cuts),
    ("random", Scope::Words),
];

/// Each is shown with its error, written, and drawn again from its file.
#[test]
fn every_method_explains_and_is_drawn() {
    let desk = Desk::new();
    for (method, scope) in METHODS {
        let more = ["--method", method, "-o", "x.json", "-o", "x.svg"];
        let ran = desk.explain(&more).succeeded();
        let found = Explanation::from_json(&String::from_utf8(desk.read("x.json")).unwrap());
        let found = found.unwrap();
        found.check_sums().unwrap();
        assert_eq!((found.method.label(), found.method.scope), (method, scope));
        let name = &found.method.name;
        assert_eq!(found.method.complete, name == "deeplift");
        assert!(
            ran.stdout.contains(&format!("method     {method}")),
            "{}",
            ran.stdout
        );
        let promised = !ran.stdout.contains(&format!("not promised by {method}"));
        assert_eq!(promised, found.completeness.holds, "{}", ran.stdout);
        assert!(!ran.stderr.contains("WARNING"), "{}", ran.stderr);
        let again = desk.run(&["render", "x.json"]).succeeded();
        assert_eq!(again.stdout, ran.stdout);
        let page = ["--method", method, "-o", "x.html"];
        if scope == Scope::All {
            desk.explain(&page).succeeded();
        } else {
            desk.explain(&page).refused(&["--output: `x.html`", method]);
            desk.run(&["render", "x.json", "-o", "x.html"])
                .refused(&["html: expected scores of every cut", method]);
        }
    }
}

/// Every rule of DeepLIFT's in the table, and what of its sums it says everywhere: no warning where it promised nothing.
#[test]
fn every_rule_explains_and_says_what_it_promises() {
    let desk = Desk::new();
    let rows = PRESETS.iter().filter(|preset| preset.method == "deeplift");
    let mut open = 0;
    for preset in rows {
        let name = preset.name;
        let rule = ["--rule", name, "--target", "margin"];
        let ran = desk
            .explain(&[&rule[..], &["-o", "x.json"]].concat())
            .succeeded();
        let found = Explanation::from_json(&String::from_utf8(desk.read("x.json")).unwrap());
        let found = found.unwrap();
        found.check_sums().unwrap();
        assert_eq!(
            (&*found.method.rule, found.method.complete),
            (name, preset.complete)
        );
        let not_promised = format!("not promised by deeplift's rule {name}: ");
        assert_eq!(
            ran.stdout.contains(&not_promised),
            !found.completeness.holds,
            "{}",
            ran.stdout
        );
        let windows = [
            &rule[..],
            &["--all-windows", "--max-tokens", "24", "--stride", "4"],
        ]
        .concat();
        let more = ["--data", "squad.json", "--model", "model", "--rule", name];
        let audit = desk.run(&[&["audit"][..], &more].concat()).succeeded();
        let run = format!("run-{name}");
        let attribute = [&["attribute", "--out", &run][..], &more].concat();
        let attributed = desk.run(&attribute).succeeded();
        let windows = desk.explain(&windows).succeeded();
        for ran in [&ran, &windows, &audit, &attributed] {
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(
                !said.contains("WARNING") && !said.contains("warning"),
                "{said}"
            );
        }
        open += usize::from(!found.completeness.holds);
    }
    assert!(open >= 3, "{open}");
}

#[test]
fn what_belongs_to_another_method_is_refused() {
    let desk = Desk::new();
    for (more, words) in [
        (
            &["--method", "random", "--steps", "3"][..],
            "--steps: it is a setting of integrated-gradients, got --method random",
        ),
        (&["--nodes", "riemann"], "--nodes: it is a setting of"),
        (
            &["--method", "lrp", "--occlude", "token"],
            "--occlude: it is a setting of occlusion, got --method lrp",
        ),
        (
            &["--method", "occlusion", "--seed", "1"],
            "--seed: it is a setting of random, got --method occlusion",
        ),
        (
            &["--method", "lrp", "--reference", "zero"],
            "--reference: --method lrp compares the input with nothing, got `zero`",
        ),
    ] {
        desk.explain(more).refused(&[words]);
    }
}

#[test]
fn what_belongs_to_a_method_reaches_it() {
    let desk = Desk::new();
    let settings = |more: &[&str]| desk.explanation(more).method.settings;
    let steps = ["--method", "integrated-gradients", "--steps"];
    assert_eq!(settings(&[&steps[..], &["7"]].concat())["points"], "7");
    let auto = settings(&[&steps[..], &["auto", "--nodes", "riemann"]].concat());
    assert_eq!(auto["auto-bound"], "1e-3");
    let window = settings(&["--method", "occlusion", "--occlude", "window:3"]);
    assert_eq!(
        (window["unit"].as_str(), window["tokens"].as_str()),
        ("window", "3")
    );
    let seed = settings(&["--method", "random", "--seed", "11"]);
    assert_eq!(seed["seed"], "11");
}

#[test]
fn a_comparison_has_a_column_for_every_method() {
    let desk = Desk::new();
    let ran = desk
        .explain(&["--compare", "--steps", "8", "-o", "c.json"])
        .succeeded();
    let found = Comparison::from_json(&String::from_utf8(desk.read("c.json")).unwrap()).unwrap();
    let names: Vec<&str> = found
        .methods
        .iter()
        .map(|compared| &*compared.label)
        .collect();
    assert_eq!(names, METHODS.map(|(name, _)| name));
    let cost = |i: usize| (found.methods[i].forward, found.methods[i].backward);
    assert_eq!(
        (cost(0), cost(1), cost(2), cost(3), cost(4)),
        ((2, 1), (6, 5), (2, 1), (12, 16), (1, 1))
    );
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].contains(QUESTION));
    for name in [
        "deeplift",
        "deep-shap",
        "grad×in",
        "int.grad",
        "lrp",
        "occlusion",
        "attention",
        "rollout",
        "random",
    ] {
        assert!(ran.stdout.contains(name), "{name}: {}", ran.stdout);
    }
    for row in ["sum", "Δt", "error", "passes", "seconds"] {
        assert!(
            lines.iter().any(|line| line.starts_with(row)),
            "{row}: {}",
            ran.stdout
        );
    }
    // Every number of DeepLIFT's column is that of its own run.
    let alone = desk.explanation(&[]);
    assert_eq!(found.methods[0].explanation.word_score, alone.word_score);
    assert!(ran.stdout.contains("12+16") && ran.stdout.contains("2+1"));
}

#[test]
fn what_a_method_cannot_give_is_refused_before_the_work() {
    let desk = Desk::new();
    let cases: [(&[&str], &[&str]); 9] = [
        (
            &["--method", "lrp", "--edges", "e.safetensors"],
            &["--edges", "lrp"],
        ),
        (
            &["--method", "occlusion", "--figures", "f"],
            &["--figures", "occlusion"],
        ),
        (
            &["--method", "random", "--all-windows"],
            &["--all-windows", "random"],
        ),
        (
            &["--method", "rollout", "--rule", "reveal-cancel"],
            &["--rule", "rollout"],
        ),
        (
            &["--compare", "-o", "c.png"],
            &["--output: `c.png`", ".json"],
        ),
        (
            &["--compare", "--method", "lrp"],
            &["--compare", "--method"],
        ),
        (
            &["--method", "integrated-gradients", "--steps", "0"],
            &["--steps", "expected auto"],
        ),
        (
            &["--method", "occlusion", "--occlude", "window:0"],
            &["--occlude", "window:N"],
        ),
        (&["--method", "magic"], &["--method", "magic"]),
    ];
    for (more, parts) in cases {
        desk.refuses_to_explain(more, parts);
    }
}
