//! Bad input of every kind but the checkpoint's: refused with exit code 2 and a message, and nothing written.

use std::fs;

use serde_json::json;

use crate::desk::{Desk, PASSAGE, QUESTION, squad};

#[test]
fn a_passage_that_cannot_be_had_is_refused_by_name() {
    let desk = Desk::new();
    desk.write("latin1.txt", b"caf\xe9");
    desk.write("utf16.txt", b"\xff\xfet\0o\0");
    fs::create_dir(desk.path("folder")).unwrap();
    for (file, words) in [
        ("missing.txt", &["--passage", "`missing.txt`"][..]),
        ("folder", &["--passage", "`folder`", "directory"]),
        ("tower.txt/x", &["--passage", "`tower.txt/x`"]),
        ("", &["--passage", "value is required"]),
        (
            "latin1.txt",
            &["--passage", "`latin1.txt`", "UTF-8", "byte 3"],
        ),
        (
            "utf16.txt",
            &["--passage", "`utf16.txt`", "UTF-8", "byte 0"],
        ),
    ] {
        desk.refuses(
            &["explain", QUESTION, "--passage", file, "--model", "model"],
            words,
        );
    }
    let mut command = desk.command(&["explain", QUESTION, "--passage", "-", "--model", "model"]);
    let assert = command.write_stdin(&b"caf\xe9"[..]).assert();
    assert
        .code(2)
        .stdout("")
        .stderr(predicates::str::contains("`-`: expected UTF-8"));
}

#[test]
fn a_text_without_a_token_is_refused() {
    let desk = Desk::new();
    for blank in ["", " \n\t\r\n", "\u{0}\u{200b}", "\u{feff}"] {
        desk.write("blank.txt", blank);
        let ask = [
            "explain",
            QUESTION,
            "--passage",
            "blank.txt",
            "--model",
            "model",
        ];
        desk.refuses(&ask, &["`blank.txt`", "the passage", "at least one token"]);
    }
    for blank in ["", " ", "\n"] {
        let ask = [
            "explain",
            blank,
            "--passage",
            "tower.txt",
            "--model",
            "model",
        ];
        desk.refuses(&ask, &["the question", "at least one token"]);
    }
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_the_work() {
    let desk = Desk::new();
    fs::create_dir(desk.path("folder.json")).unwrap();
    for (options, words) in [
        (
            &["-o", "nowhere/x.json"][..],
            &["--output", "`nowhere/x.json`"][..],
        ),
        (
            &["-o", "tower.txt/x.json"],
            &["--output", "`tower.txt/x.json`"],
        ),
        (
            &["-o", "folder.json"],
            &["--output", "`folder.json`", "folder"],
        ),
        (&["-o", "x.yaml"], &["--output", "`x.yaml`", ".json"]),
        (&["-o", "json"], &["--output", "`json`", ".json"]),
        (&["-o", ""], &["--output", "value is required"]),
        (
            &["-o", "good.json", "-o", "x.yaml"],
            &["--output", "`x.yaml`"],
        ),
        (&["--edges", "nowhere/e"], &["--edges", "`nowhere/e`"]),
        (&["--edges", "model"], &["--edges", "`model`", "folder"]),
        (&["--edges", ""], &["--edges"]),
        (
            &["--attention", "nowhere/a"],
            &["--attention", "`nowhere/a`"],
        ),
        (
            &["--attention", "model", "-o", "good.json"],
            &["--attention", "`model`"],
        ),
    ] {
        desk.refuses_to_explain(options, words);
        // Even where the passage is missing too: what was typed is looked at first.
        let ask = [
            "explain",
            QUESTION,
            "--passage",
            "missing.txt",
            "--model",
            "model",
        ];
        desk.refuses(&[&ask[..], options].concat(), words);
    }
}

#[test]
fn an_output_does_not_take_the_place_of_the_input() {
    let desk = Desk::new();
    for file in ["tower.txt", "./tower.txt"] {
        desk.refuses_to_explain(
            &["--edges", file],
            &["--edges", file, "other than the input"],
        );
    }
}

#[test]
fn one_file_is_not_asked_for_twice() {
    let desk = Desk::new();
    for options in [
        &["-o", "x.json", "-o", "x.json"][..],
        &["-o", "x.json", "--edges", "x.json"],
        &["--edges", "x", "--attention", "./x"],
    ] {
        desk.refuses_to_explain(options, &["x", "twice"]);
    }
}

#[test]
fn a_failure_leaves_an_old_output_as_it_was() {
    let desk = Desk::new();
    for old in ["old.json", "edges", "attention"] {
        desk.write(old, "precious");
    }
    let outputs = [
        "-o",
        "old.json",
        "--edges",
        "edges",
        "--attention",
        "attention",
    ];
    for failing in [
        &["--answer", "nowhere in it"][..],
        &["--reference", "nonsense"],
        &["--max-tokens", "3"],
        &["-o", "nowhere/x.json"],
    ] {
        desk.refuses_to_explain(&[&outputs[..], failing].concat(), &[]);
    }
    desk.write("model/model.safetensors", "");
    desk.refuses_to_explain(&outputs, &["model.safetensors"]);
}

#[test]
fn a_reference_that_does_not_fit_is_refused() {
    let desk = Desk::new();
    let length = desk.explanation(&[]).tokens.len();
    let ids = |id: u32| vec![id; length];
    for (file, text) in [
        ("prose", "mask".to_owned()),
        ("object", "{}".to_owned()),
        ("words", r#"["[MASK]"]"#.to_owned()),
        ("negative", "[-1]".to_owned()),
        ("fractions", "[1.5]".to_owned()),
        ("huge", "[4294967296]".to_owned()),
        ("cut", "[1, 2".to_owned()),
        ("deep", "[".repeat(100_000)),
        ("empty-file", String::new()),
    ] {
        desk.write(file, text);
        let words = [
            "--reference",
            &format!("`{file}`"),
            "JSON list of token ids",
        ];
        desk.refuses_to_explain(&["--reference", &format!("tokens:{file}")], &words);
    }
    for (lists, words) in [
        (json!([]), &["`tokens`", "list 0", "got 0"][..]),
        (json!([[]]), &["`tokens`", "list 0", "got 0"]),
        (
            json!(ids(1)[1..]),
            &["`tokens`", "list 0", "one for each token"],
        ),
        (json!([ids(1), ids(1)[1..]]), &["`tokens`", "list 1"]),
        (json!(ids(56)), &["`tokens`", "id 56", "position 0", "56"]),
        (
            json!([ids(1), ids(u32::MAX)]),
            &["`tokens`", "list 1", "id 4294967295"],
        ),
    ] {
        desk.write("lists", lists.to_string());
        desk.refuses_to_explain(&["--reference", "tokens:lists"], words);
    }
    desk.write("binary", b"\xff");
    desk.refuses_to_explain(
        &["--reference", "tokens:binary"],
        &["--reference", "`binary`"],
    );
    desk.refuses_to_explain(
        &["--reference", "tokens:nowhere"],
        &["--reference", "`nowhere`"],
    );
    desk.refuses_to_explain(&["--reference", "tokens:"], &["--reference", "``"]);
    for name in ["nonsense", "Mask", "", "tokens", "mask,pad"] {
        let words = [
            "--reference",
            "mask",
            "tokens:FILE",
            &format!("got `{name}`"),
        ];
        desk.refuses_to_explain(&["--reference", name], &words);
    }
    let audit = [
        "audit",
        "--data",
        "squad.json",
        "--model",
        "model",
        "--reference",
        "mask,nonsense",
    ];
    desk.refuses(&audit, &["--reference", "got `nonsense`"]);
}

#[test]
fn a_span_that_is_not_there_is_refused() {
    let desk = Desk::new();
    for (options, words) in [
        (
            &["--answer", "boat"][..],
            &["answer", "\"boat\"", "not occur"][..],
        ),
        (&["--answer", "1893 1901"], &["answer", "not occur"]),
        (&["--answer", " "], &["answer"]),
        (&["--versus", "boat"], &["versus", "\"boat\"", "not occur"]),
        (
            &["--versus", "1893", "--answer", "1893"],
            &["versus", "the answer itself", "\"1893\""],
        ),
        (
            &["--versus", "", "--answer", ""],
            &["versus", "the answer itself"],
        ),
        (
            &["--answer", PASSAGE, "--max-tokens", "12"],
            &["answer", "no window of 12 tokens"],
        ),
        (
            &["--answer", "old", "--versus", "1901", "--max-tokens", "12"],
            &["versus", "no window", "\"old\""],
        ),
        (
            &["--versus", "1893", "--target", "span"],
            &["--versus", "--target"],
        ),
    ] {
        desk.refuses_to_explain(options, words);
    }
}

#[test]
fn a_data_set_that_is_none_is_refused() {
    let desk = Desk::new();
    let ask = |file: &'static str, id: &'static str| {
        ["explain", "--data", file, "--id", id, "--model", "model"]
    };
    desk.refuses(
        &ask("squad.json", "nobody"),
        &["--id", "`squad.json`", "9 ids", "got `nobody`"],
    );
    desk.refuses(&ask("squad.json", ""), &["--id", "got ``"]);
    let whole = squad().to_string();
    let misplaced = whole.replacen(r#""answer_start":"#, r#""answer_start":1"#, 1);
    desk.write("prose", "When was the tower opened?");
    desk.write("object", "{}");
    desk.write("empty", "");
    desk.write("cut", &whole[..whole.len() / 2]);
    desk.write("misplaced", misplaced);
    desk.write("blank", whole.replace(QUESTION, " "));
    desk.write("latin1", b"{\"data\": \"caf\xe9\"}");
    desk.write("none", r#"{"data": []}"#);
    desk.write_gzip("packed", whole.as_bytes());
    let packed = desk.read("packed");
    desk.write("packed", &packed[..packed.len() - 9]);
    for (file, words) in [
        ("prose", &["not JSON", "line 1"][..]),
        ("object", &["not SQuAD", "data"]),
        ("empty", &["not JSON"]),
        ("cut", &["not JSON", "line 1"]),
        ("misplaced", &["question `opened`", "answers[0]", "1893"]),
        ("blank", &["question `opened`", "question"]),
        ("latin1", &["not UTF-8"]),
        ("packed", &["gzip"]),
        ("missing", &["cannot be read"]),
        ("model", &["cannot be read"]),
    ] {
        let name = format!("`{file}`");
        let words = [&["--data", &name][..], words].concat();
        desk.refuses(&ask(file, "opened"), &words);
        desk.refuses(&["audit", "--data", file, "--model", "model"], &words);
    }
    desk.refuses(
        &["audit", "--data", "none", "--model", "model"],
        &["--data", "`none`", "got none"],
    );
}

#[test]
fn a_question_that_fills_the_window_is_refused() {
    let desk = Desk::new();
    let words = ["question", "6 tokens", "at least 10 tokens, got 9"];
    desk.refuses_to_explain(&["--max-tokens", "9"], &words);
    desk.explain(&["--max-tokens", "10"]).succeeded();
    // The model has 64 positions, whatever is allowed.
    let long = "who ".repeat(61);
    let ask = [
        "explain",
        &long,
        "--passage",
        "tower.txt",
        "--model",
        "model",
        "--max-tokens",
        "1000",
    ];
    desk.refuses(
        &ask,
        &["question", "61 tokens", "at least 65 tokens, got 64"],
    );
}

#[test]
fn numbers_that_are_none_or_out_of_range_are_refused() {
    let desk = Desk::new();
    for option in ["--n-best", "--max-tokens", "--stride", "--threads"] {
        for number in [
            "0",
            "1.5",
            "many",
            "",
            "18446744073709551616",
            "0x10",
            "1e3",
        ] {
            desk.refuses_to_explain(&[option, number], &[option, &format!("'{number}'")]);
        }
        desk.refuses_to_explain(&[option, "-1"], &[option, "invalid value '-1'"]);
        desk.refuses_to_explain(&[option], &[option]);
    }
    for number in ["nan", "inf", "-inf", "1e999", "much", ""] {
        let option = format!("--null-threshold={number}");
        desk.refuses_to_explain(&[&option], &["--null-threshold", number, "finite"]);
    }
    desk.refuses(
        &["audit", "--data", "squad.json", "--limit", "0"],
        &["--limit"],
    );
    // So many threads would take minutes to start.
    desk.refuses_to_explain(&["--threads", "1000000"], &["--threads", "1000000"]);
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    let desk = Desk::new();
    let question_alone = ["explain", QUESTION, "--model", "model"];
    let both = [
        "explain",
        QUESTION,
        "--data",
        "squad.json",
        "--id",
        "opened",
    ];
    let passage_and_data = [
        "explain",
        "--passage",
        "tower.txt",
        "--data",
        "squad.json",
        "--id",
        "opened",
    ];
    for (args, words) in [
        (&question_alone[..], &["--passage"][..]),
        (&["explain", "--passage", "tower.txt"], &["QUESTION"]),
        (&["explain", "--data", "squad.json"], &["--id"]),
        (&["explain", "--id", "opened"], &["--data"]),
        (&both, &["QUESTION", "--data"]),
        (&passage_and_data, &["--passage", "--data"]),
        (&["audit"], &["--data"]),
        (&["dance"], &["dance"]),
        (&["explain", "--dance"], &["--dance"]),
    ] {
        desk.refuses(args, words);
    }
    for (option, choices) in [
        ("--target", &["span", "start", "end", "margin"][..]),
        (
            "--rule",
            &[
                "rescale",
                "reveal-cancel",
                "softmax-path",
                "softmax-gradient",
                "softmax-fixed",
                "sigma-fixed",
            ],
        ),
        ("--precision", &["f32", "f64"]),
        ("--scale", &["layer", "shared"]),
        ("--color", &["auto", "always", "never"]),
    ] {
        let words = [&[option, "nonsense"][..], choices].concat();
        desk.refuses_to_explain(&[option, "nonsense"], &words);
    }
}
