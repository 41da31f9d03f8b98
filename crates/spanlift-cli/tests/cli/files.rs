//! The files that `explain` writes.

use std::fs;

use safetensors::Dtype;

use crate::desk::{Desk, Tensor, tensors};

#[test]
fn edges_and_attention_hold_every_layer_and_agree_with_the_json() {
    let desk = Desk::new();
    desk.add_model("four", "four-layers");
    for (precision, dtype, close) in [("f32", Dtype::F32, 1e-5), ("f64", Dtype::F64, 1e-6)] {
        let found = desk.explanation_of(
            "four",
            &[
                "--precision",
                precision,
                "--edges",
                "edges",
                "--attention",
                "attention.st",
            ],
        );
        let (edges, attention) = (
            tensors(&desk.read("edges")),
            tensors(&desk.read("attention.st")),
        );
        let names: Vec<&String> = edges.keys().collect();
        let expected = [
            "content.1",
            "content.2",
            "content.3",
            "content.4",
            "pattern.1",
            "pattern.2",
            "pattern.3",
            "pattern.4",
        ];
        assert_eq!(names, expected);
        let names: Vec<&String> = attention.keys().collect();
        assert_eq!(
            names,
            ["attention.1", "attention.2", "attention.3", "attention.4"]
        );
        let (a, s) = (3, found.tokens.len());
        for tensor in edges.values().chain(attention.values()) {
            assert_eq!(
                (tensor.dtype, tensor.shape.as_slice()),
                (dtype, &[a, s, s][..])
            );
        }
        let rows = |tensor: &Tensor| -> Vec<f64> {
            tensor
                .numbers()
                .chunks(s)
                .map(|row| row.iter().sum())
                .collect()
        };
        for layer in 1..=4 {
            for row in rows(&attention[&format!("attention.{layer}")]) {
                assert!((row - 1.0).abs() < close, "attention sums to {row}");
            }
            let pattern = rows(&edges[&format!("pattern.{layer}")]);
            let content = rows(&edges[&format!("content.{layer}")]);
            let by_token = found.heads.by_token[layer - 1].concat();
            for (query, by_token) in by_token.iter().enumerate() {
                let edges = pattern[query] + content[query];
                assert!(
                    (edges - f64::from(*by_token)).abs() < close,
                    "{edges} is not {by_token}"
                );
            }
        }
        // The strongest of the JSON are the strongest of all.
        let at = |kind: &str, layer: usize, head: usize, query: usize, key: usize| {
            edges[&format!("{kind}.{layer}")].numbers()[((head - 1) * s + query) * s + key]
        };
        let mut all = Vec::new();
        for layer in 1..=4 {
            let pattern = edges[&format!("pattern.{layer}")].numbers();
            let content = edges[&format!("content.{layer}")].numbers();
            all.extend(pattern.iter().zip(content).map(|(p, c)| (p + c).abs()));
        }
        all.sort_by(|a, b| b.total_cmp(a));
        assert_eq!(found.top_edges.len(), 200);
        for (edge, strength) in found.top_edges.iter().zip(all) {
            let place = (edge.layer, edge.head, edge.query, edge.key);
            let of = |kind| at(kind, place.0, place.1, place.2, place.3);
            assert!(
                (of("pattern") - f64::from(edge.pattern)).abs() < close,
                "{edge:?}"
            );
            assert!(
                (of("content") - f64::from(edge.content)).abs() < close,
                "{edge:?}"
            );
            assert!((f64::from(edge.pattern + edge.content).abs() - strength).abs() < close);
        }
    }
}

#[test]
fn several_outputs_are_all_written_and_an_old_one_is_replaced() {
    let desk = Desk::new();
    desk.write("old.json", "x".repeat(1 << 20));
    desk.explain(&["-o", "old.json", "--output", "new.json"])
        .succeeded();
    desk.read_explanation("new.json");
    assert_eq!(desk.read("old.json"), desk.read("new.json"));
    let names: Vec<_> = desk.listing().into_keys().collect();
    assert_eq!(
        names.len(),
        9,
        "model/ with its four files, two texts, two outputs: {names:?}"
    );
}

#[test]
fn the_same_run_writes_the_same_bytes() {
    let desk = Desk::new();
    let more = ["--edges", "e", "--attention", "a", "-o", "x.json"];
    desk.explain(&more).succeeded();
    let first = desk.listing();
    desk.explain(&more).succeeded();
    assert!(desk.listing() == first);
}

#[cfg(unix)]
#[test]
fn a_written_file_has_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;

    let desk = Desk::new();
    desk.explain(&["-o", "x.json"]).succeeded();
    let mode = |name: &str| fs::metadata(desk.path(name)).unwrap().permissions().mode();
    assert_eq!(mode("x.json"), mode("tower.txt"));
}

/// A link stays one, and what is no file is not replaced by one.
#[cfg(unix)]
#[test]
fn links_are_followed_and_devices_left_alone() {
    let desk = Desk::new();
    desk.write("real.json", "old");
    std::os::unix::fs::symlink(desk.path("real.json"), desk.path("link.json")).unwrap();
    desk.explain(&["-o", "link.json"]).succeeded();
    assert!(desk.path("link.json").is_symlink());
    desk.read_explanation("real.json");
    std::os::unix::fs::symlink("new.json", desk.path("dangling.json")).unwrap();
    desk.explain(&["-o", "dangling.json"]).succeeded();
    assert!(desk.path("dangling.json").is_symlink());
    desk.read_explanation("new.json");
    desk.explain(&["-o", "link.json", "-o", "real.json"])
        .refused(&["--output: `real.json`: expected a file of its own"]);
    let _socket = std::os::unix::net::UnixListener::bind(desk.path("socket.json")).unwrap();
    desk.explain(&["-o", "socket.json"])
        .refused(&["--output: `socket.json`: expected a file, or a name for a new one"]);
    assert!(desk.path("socket.json").exists() && !desk.path("socket.json").is_file());
}

#[test]
fn pictures_and_pages_are_written_and_a_saved_explanation_gives_the_same() {
    let desk = Desk::new();
    let names = ["x.json", "x.html", "x.svg", "x.png"];
    let outputs: Vec<&str> = names.iter().flat_map(|name| ["-o", name]).collect();
    desk.explain(&[&outputs[..], &["--figures", "figures"]].concat())
        .succeeded();
    let found = desk.read_explanation("x.json");
    let text = |name: &str| String::from_utf8(desk.read(name)).unwrap();
    assert!(text("x.html").starts_with("<!doctype html>") && text("x.svg").starts_with("<svg"));
    assert!(desk.read("x.png").starts_with(b"\x89PNG\r\n\x1a\n"));
    // One picture a layer and one for the output, as SVG and as PNG.
    let layers = found.layers.len() - 1;
    let mut expected: Vec<String> = (1..=layers)
        .map(|l| format!("layer-{l:02}"))
        .chain(["output".to_owned()])
        .flat_map(|name| [format!("{name}.png"), format!("{name}.svg")])
        .collect();
    expected.sort();
    let mut figures: Vec<String> = fs::read_dir(desk.path("figures"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    figures.sort();
    assert_eq!(figures, expected);

    let again = [
        "render", "x.json", "-o", "y.html", "-o", "y.svg", "-o", "y.png", "-o", "y.json",
    ];
    let ran = desk
        .run(&[&again[..], &["--figures", "more"]].concat())
        .succeeded();
    assert_eq!(ran.stdout, "");
    for name in names {
        assert!(
            desk.read(name) == desk.read(&name.replacen('x', "y", 1)),
            "{name}"
        );
    }
    for name in &figures {
        assert!(desk.read(&format!("figures/{name}")) == desk.read(&format!("more/{name}")));
    }
    // Without a file to write, the terminal shows it.
    let shown = desk.run(&["render", "x.json"]).succeeded();
    assert!(shown.stdout.contains("question   ") && shown.stdout.contains("layer 1"));
    // The options reach the pictures.
    for options in [
        &["--palette", "colour-blind"][..],
        &["--scale", "shared"],
        &["--ramp", "root"],
        &["--unit", "wordpieces"],
    ] {
        desk.run(&[&["render", "x.json", "-o", "z.svg"][..], options].concat())
            .succeeded();
        assert!(desk.read("z.svg") != desk.read("x.svg"), "{options:?}");
    }
    // And the page, which begins with them.
    let options = ["--unit", "wordpieces", "--ramp", "root", "-o", "z.html"];
    desk.run(&[&["render", "x.json"][..], &options].concat())
        .succeeded();
    assert!(
        text("z.html")
            .contains("<spanlift-explanation unit=\"wordpieces\" scale=\"layer\" ramp=\"root\"")
    );
}

#[test]
fn each_note_about_pictures_is_said_once() {
    let desk = Desk::new();
    // An unassigned character: no font has it, so that neither SVG nor PNG can.
    desk.write("tower.txt", "The old tower \u{3fffd} was built in 1877.");
    let more = [
        "--answer",
        "1877",
        "-o",
        "x.svg",
        "-o",
        "x.png",
        "--figures",
        "figures",
    ];
    let ran = desk.explain(&more).succeeded();
    let notes: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| line.contains("U+3FFFD"))
        .collect();
    let [svg, png] = notes.as_slice() else {
        panic!("{}", ran.stderr)
    };
    assert!(
        svg.contains("`x.svg`, --figures: `figures`: the built-in font lacks"),
        "{svg}"
    );
    assert!(
        png.contains("`x.png`, --figures: `figures`: no font of this machine has"),
        "{png}"
    );
}

#[test]
fn a_file_whose_sums_are_not_those_of_its_scores_is_not_drawn() {
    let desk = Desk::new();
    let mut found = desk.explanation(&[]);
    found.layers[0].sum += 0.01;
    desk.write("sum.json", found.to_json().unwrap());
    found.layers[0].sum -= 0.01;
    found.layers[1].score[3] += 0.5;
    desk.write("score.json", found.to_json().unwrap());
    found.layers[1].score[3] -= 0.5;
    (found.completeness.holds, found.completeness.bound) = (true, 1.0);
    desk.write("bound.json", found.to_json().unwrap());
    for (file, field) in [
        ("sum.json", "layers[0].sum: expected"),
        ("score.json", "layers[1].sum: expected"),
        ("bound.json", "completeness.bound: expected"),
    ] {
        let words = [file, "contradicts itself", field];
        desk.refuses(&["render", file, "-o", "out.svg"], &words);
        desk.refuses(&["render", file], &words);
    }
}

#[test]
fn what_is_no_explanation_is_not_drawn() {
    let desk = Desk::new();
    desk.explain(&["-o", "x.json"]).succeeded();
    let good = String::from_utf8(desk.read("x.json")).unwrap();
    desk.write(
        "newer.json",
        good.replacen("\"version\":1", "\"version\":2", 1),
    );
    desk.write("other.json", "{\"format\": \"something\", \"version\": 1}");
    desk.write("cut.json", &good[..good.len() / 2]);
    desk.write("nan.json", "NaN");
    for (file, words) in [
        ("newer.json", &["`newer.json`", "version", "2"][..]),
        ("other.json", &["`other.json`", "format"]),
        ("cut.json", &["`cut.json`"]),
        ("nan.json", &["`nan.json`"]),
        ("missing.json", &["`missing.json`", "cannot be read"]),
    ] {
        desk.refuses(&["render", file, "-o", "out.svg"], words);
    }
    desk.refuses(
        &["render", "x.json", "-o", "x.json"],
        &["other than the input"],
    );
    desk.refuses(
        &["render", "x.json", "-o", "out.pdf"],
        &["`out.pdf`", ".svg"],
    );
    desk.refuses(
        &["render", "x.json", "--figures", "x.json"],
        &["--figures", "folder"],
    );
}
