//! The pictures: what they say, that everything is in its place, and that nothing foreign can act in them.
#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod common;

use common::{hostile, long, mill, none, scripts};
use resvg::{tiny_skia, usvg};
use roxmltree::{Document, Node};
use spanlift_explanation::Explanation;
use spanlift_render::colour::{Colour, Palette, Ramp, diverging};
use spanlift_render::{Options, RenderError, Rendered, Scale, Unit, figures, format_for};

fn render(name: &str, explanation: &Explanation, options: &Options) -> Rendered {
    let format = format_for(name.as_ref()).unwrap();
    format.write(explanation, options).unwrap()
}

fn svg(explanation: &Explanation, options: &Options) -> String {
    String::from_utf8(render("map.svg", explanation, options).bytes).unwrap()
}

fn fixtures() -> Vec<Explanation> {
    let mut shared = mill();
    shared.question = "Who built the mill of the two rivers, and the weir? ".repeat(6);
    vec![mill(), none(), hostile(), scripts(), shared]
}

/// A text run: its words and its measured box.
struct Run {
    text: String,
    left: f32,
    right: f32,
    baseline: f32,
}

fn length(node: Node<'_, '_>, name: &str) -> f32 {
    node.attribute(name).unwrap().parse().unwrap()
}

fn runs(document: &Document<'_>) -> Vec<Run> {
    let texts = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    let run = |node: Node<'_, '_>| {
        let (left, baseline) = match node.attribute("transform") {
            Some(transform) => {
                let place = transform.strip_prefix("translate(").unwrap();
                let (x, rest) = place.split_once(' ').unwrap();
                let (y, _) = rest.split_once(')').unwrap();
                (x.parse().unwrap(), y.parse().unwrap())
            }
            None => (length(node, "x"), length(node, "y")),
        };
        let width = node
            .attribute("textLength")
            .map_or(0.0, |x| x.parse().unwrap());
        let text = node.descendants().filter(Node::is_text);
        let text = text.map(|node| node.text().unwrap_or_default());
        Run {
            text: text.collect(),
            left,
            right: left + width,
            baseline,
        }
    };
    texts.map(run).collect()
}

#[test]
fn the_svg_is_what_was_looked_at() {
    insta::assert_snapshot!("mill", svg(&mill(), &Options::default()));
    let options = Options {
        scale: Scale::Shared,
        palette: Palette::ColourBlind,
        ramp: Ramp::Root,
        ..Options::default()
    };
    insta::assert_snapshot!("none_words_shared", svg(&none(), &options));
    insta::assert_snapshot!("hostile", svg(&hostile(), &Options::default()));
    let options = Options {
        unit: Unit::Wordpieces,
        ..Options::default()
    };
    insta::assert_snapshot!("scripts", svg(&scripts(), &options));
}

#[test]
fn every_word_has_its_own_place_on_the_page() {
    for explanation in fixtures() {
        let svg = svg(&explanation, &Options::default());
        let document = Document::parse(&svg).unwrap();
        let root = document.root_element();
        let (width, height) = (length(root, "width"), length(root, "height"));
        let mut runs = runs(&document);
        assert!(runs.len() > 100);
        for run in &runs {
            let inside = run.left >= 20.0 && run.right <= width - 20.0;
            assert!(inside, "{:?} {} {}", run.text, run.left, run.right);
            assert!(run.baseline > 20.0 && run.baseline < height - 10.0);
        }
        // Lines of a column are 18 units and more apart; what is less apart stands on one line.
        runs.sort_by(|a, b| a.baseline.total_cmp(&b.baseline));
        for line in runs.chunk_by_mut(|a, b| b.baseline - a.baseline < 1.0) {
            line.sort_by(|a, b| a.left.total_cmp(&b.left));
            for pair in line.windows(2) {
                let [a, b] = pair else { continue };
                // Slanted text leans out of its place by a unit.
                let slanted = a.text.contains(']') || b.text.contains('[');
                let free = b.left - a.right;
                let least = if slanted { -1.2 } else { -0.02 };
                assert!(free > least, "{:?} {:?}: {free}", a.text, b.text);
            }
        }
        // And so do the coloured rectangles.
        let mut boxes: Vec<(f32, f32, f32)> = document
            .descendants()
            .filter(|node| {
                node.has_tag_name("rect") && node.attribute("fill").is_some_and(|f| f.len() == 7)
            })
            .map(|node| (length(node, "y"), length(node, "x"), length(node, "width")))
            .collect();
        boxes.sort_by(|a, b| a.partial_cmp(b).unwrap());
        for pair in boxes.windows(2) {
            let [a, b] = pair else { continue };
            assert!(a.0 < b.0 || a.1 + a.2 <= b.1 + 0.02, "{a:?} {b:?}");
        }
    }
}

/// The text nodes as `usvg` lays them out.
fn drawn<'a>(group: &'a usvg::Group, found: &mut Vec<&'a usvg::Text>) {
    for node in group.children() {
        match node {
            usvg::Node::Group(group) => drawn(group, found),
            usvg::Node::Text(text) => found.push(text),
            usvg::Node::Path(_) | usvg::Node::Image(_) => {}
        }
    }
}

#[test]
fn measured_is_as_drawn() {
    // Without the lengths, so that nothing is fitted: the widths are those of another program.
    let mut options = usvg::Options::default();
    let fonts = std::sync::Arc::make_mut(&mut options.fontdb);
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    for explanation in [mill(), hostile(), scripts()] {
        let svg = svg(&explanation, &Options::default());
        let mut free = String::new();
        for (i, part) in svg.split(" textLength=\"").enumerate() {
            free.push_str(if i == 0 {
                part
            } else {
                part.split_once('"').unwrap().1
            });
        }
        let tree = usvg::Tree::from_str(&free, &options).unwrap();
        let mut texts = Vec::new();
        drawn(tree.root(), &mut texts);
        let document = Document::parse(&svg).unwrap();
        let measured = runs(&document);
        assert_eq!(texts.len(), measured.len());
        let mut compared = 0;
        for (text, run) in texts.iter().zip(&measured) {
            // What the font lacks is guessed, and an accent alone has no width.
            let guessed = run
                .text
                .chars()
                .any(|c| u32::from(c) >= 0x3000 && c != '\u{fffd}');
            if guessed || text.bounding_box().width() < 2.0 {
                continue;
            }
            let width = text.bounding_box().width();
            assert!(
                (width - (run.right - run.left)).abs() < 0.05,
                "{:?}: {width} {}",
                run.text,
                run.right - run.left
            );
            compared += 1;
        }
        assert!(compared > 100, "{compared}");
    }
}

#[test]
fn nothing_foreign_acts() {
    let svg = svg(&hostile(), &Options::default());
    let document = Document::parse(&svg).unwrap();
    let known = [
        "svg",
        "title",
        "desc",
        "defs",
        "linearGradient",
        "stop",
        "rect",
        "g",
        "text",
        "tspan",
        "path",
    ];
    for node in document.descendants().filter(Node::is_element) {
        assert!(known.contains(&node.tag_name().name()), "{node:?}");
        for attribute in node.attributes() {
            assert!(!attribute.name().starts_with("on"), "{attribute:?}");
        }
    }
    let text: String = runs(&document).into_iter().map(|run| run.text).collect();
    assert!(text.contains("<script>alert(1)</script>") && text.contains("a&b;&lt;"));
    // A control is a sign of its own, as in the page and the terminal: ESC, NEL (which is no white space here) and CSI.
    assert!(
        text.contains("�[31m��") && text.contains("nul�bell��"),
        "{text}"
    );
    assert!(!svg.contains(|c: char| c.is_control() && c != '\n'));
    assert!(!svg.contains(
        |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{fffe}')
    ));
}

/// The background of a word in the cut with this label.
fn colour(svg: &str, cut: &str, word: &str) -> Option<String> {
    let document = Document::parse(svg).unwrap();
    let group = document
        .descendants()
        .find(|node| node.attribute("aria-label") == Some(cut))
        .unwrap();
    let text = group
        .descendants()
        .find(|node| node.has_tag_name("text") && node.text() == Some(word))
        .unwrap();
    let (x, y) = (length(text, "x"), length(text, "y"));
    let boxes = group.descendants().filter(|node| {
        let fill = node.attribute("fill").unwrap_or_default();
        node.has_tag_name("rect") && fill.starts_with('#')
    });
    let found = boxes.into_iter().find(|node| {
        let (left, top) = (length(*node, "x"), length(*node, "y"));
        left <= x + 0.1
            && x < left + length(*node, "width")
            && top < y
            && y < top + length(*node, "height")
    });
    found.map(|node| node.attribute("fill").unwrap().to_owned())
}

fn hex(Colour { r, g, b }: Colour) -> Option<String> {
    Some(format!("#{r:02x}{g:02x}{b:02x}"))
}

#[test]
fn colours_are_the_scores_over_their_scale() {
    // Largest of layer 1: 1.5 (Ada); of all cuts: 2.5 (output, ##ron).
    let pieces = Options {
        unit: Unit::Wordpieces,
        ..Options::default()
    };
    let own = svg(&mill(), &pieces);
    let of = |score: f32, scale: f32| hex(diverging(score / scale));
    assert_eq!(colour(&own, "Layer 1", "Ada"), of(1.5, 1.5));
    assert_eq!(colour(&own, "Layer 1", "Who"), of(1.0, 1.5));
    assert_eq!(colour(&own, "Layer 1", "in"), None);
    let options = Options {
        scale: Scale::Shared,
        ..pieces.clone()
    };
    let shared = svg(&mill(), &options);
    assert_eq!(colour(&shared, "Layer 1", "Ada"), of(1.5, 2.5));
    assert_eq!(colour(&shared, "Layer 2", "Ada"), of(2.0, 2.5));
    // A word is coloured by the sum of its pieces: Byron 1.5 and no more than 2.5 in all.
    let options = Options {
        unit: Unit::Words,
        ..Options::default()
    };
    let words = svg(&mill(), &options);
    assert_eq!(colour(&own, "Layer 1", "Byron"), of(0.25, 1.5));
    assert_eq!(colour(&words, "Layer 1", "Byron"), of(0.5, 1.5));
    let options = Options {
        palette: Palette::ColourBlind,
        ..Options::default()
    };
    let palette = svg(&mill(), &options);
    let orange = hex(Palette::ColourBlind.diverging(1.0));
    assert_eq!(colour(&palette, "Layer 1", "Ada"), orange);
}

#[test]
fn opposite_scores_have_opposite_colours() {
    let mut opposite = mill();
    for layer in &mut opposite.layers {
        layer.score.iter_mut().for_each(|score| *score = -*score);
    }
    opposite.validate().unwrap();
    let (one, other) = (
        svg(&mill(), &Options::default()),
        svg(&opposite, &Options::default()),
    );
    for (word, score) in [("Ada", 1.5), ("Who", 1.0), ("built", 0.5)] {
        let x = score / 1.5;
        assert_eq!(colour(&one, "Layer 1", word), hex(diverging(x)), "{word}");
        assert_eq!(
            colour(&other, "Layer 1", word),
            hex(diverging(-x)),
            "{word}"
        );
    }
    // White is in the middle of the scale, and both ends are its ends.
    let document = Document::parse(&one).unwrap();
    let stops: Vec<_> = document
        .descendants()
        .filter(|node| node.has_tag_name("stop"))
        .map(|node| node.attribute("stop-color").unwrap().to_owned())
        .collect();
    assert_eq!(stops.first().cloned(), hex(diverging(-1.0)));
    assert_eq!(stops.get(stops.len() / 2).cloned(), hex(Colour::WHITE));
    assert_eq!(stops.last().cloned(), hex(diverging(1.0)));
}

#[test]
fn the_answer_is_marked_without_colour() {
    let marks = |svg: &str| svg.matches("fill=\"none\" stroke=\"#000\"").count();
    let cuts = mill().layers.len() + 1;
    // Once in each cut, and once where the marks are explained; Ada Byron is one outline over its blank.
    assert_eq!(marks(&svg(&mill(), &Options::default())), cuts + 1);
    let mut versus = mill();
    versus.target.kind = spanlift_explanation::TargetKind::Versus;
    versus.target.versus = Some(spanlift_explanation::Versus {
        text: "1877".to_owned(),
        start_token: 14,
        end_token: 14,
    });
    versus.validate().unwrap();
    let svg = svg(&versus, &Options::default());
    assert_eq!(marks(&svg), 2 * (cuts + 1));
    assert_eq!(svg.matches("stroke-dasharray").count(), cuts + 1);
    // Special tokens lean.
    assert_eq!(svg.matches("skewX").count(), 3 * cuts + 1);
}

/// A rectangle that outlines, from left to right, with its top and bottom.
fn outlines(document: &Document<'_>) -> Vec<[f32; 4]> {
    let marks = document
        .descendants()
        .filter(|node| node.has_tag_name("rect") && node.attribute("stroke") == Some("#000"));
    let edges = |node: Node<'_, '_>| {
        let [x, y, w, h] = ["x", "y", "width", "height"].map(|name| length(node, name));
        [x, x + w, y, y + h]
    };
    marks.map(edges).collect()
}

#[test]
fn the_outline_touches_no_other_text() {
    // The answer between a bracket and a full stop, in both directions; and the end of a word, "built" of "rebuilt".
    let mut bracketed = mill();
    bracketed.passage = "Ada Byron rebuilt it in(1877.".to_owned();
    bracketed.tokens[13].end = Some(24);
    bracketed.tokens[14].start = Some(24);
    let place = |explanation: &mut Explanation, (first, last): (usize, usize)| {
        let (start, end) = (
            explanation.tokens[first].start,
            explanation.tokens[last].end,
        );
        let answer = &mut explanation.answer;
        (
            answer.start_token,
            answer.end_token,
            answer.start,
            answer.end,
        ) = (first, last, start, end);
        let text = explanation.passage.chars().skip(start.unwrap());
        answer.text = text.take(end.unwrap() - start.unwrap()).collect();
        explanation.candidates.clear();
        explanation.validate().unwrap();
    };
    let mut end = mill();
    place(&mut bracketed, (14, 14));
    place(&mut end, (11, 11));
    let mut hebrew = scripts();
    place(&mut hebrew, (8, 8));
    for explanation in [bracketed, end, hebrew] {
        let svg = svg(&explanation, &Options::default());
        let document = Document::parse(&svg).unwrap();
        let marks = outlines(&document);
        assert!(marks.len() > 3);
        // Half the line's width on either side of the edge.
        for run in runs(&document) {
            for [left, right, top, bottom] in &marks {
                if run.baseline < *top || run.baseline > *bottom {
                    continue;
                }
                for edge in [left, right] {
                    let apart = run.right <= edge - 0.3 || run.left >= edge + 0.75;
                    let within = run.left >= *left && run.right <= *right;
                    assert!(
                        apart || within,
                        "{:?} {}..{} {edge}",
                        run.text,
                        run.left,
                        run.right
                    );
                }
            }
        }
    }
}

#[test]
fn the_strongest_words_are_there_without_colour() {
    let list_of = |explanation: &Explanation, cut: &str, options: &Options| {
        let svg = svg(explanation, options);
        let document = Document::parse(&svg).unwrap();
        let group = document
            .descendants()
            .find(|node| node.attribute("aria-label") == Some(cut))
            .unwrap();
        let texts = group
            .descendants()
            .filter_map(|node| node.text().filter(|_| node.is_text()));
        let texts: Vec<&str> = texts.filter(|text| !text.trim().is_empty()).collect();
        let from = texts.iter().position(|&text| text == "strongest").unwrap();
        texts[from + 1..].join(" ")
    };
    let list =
        |explanation: &Explanation, cut: &str| list_of(explanation, cut, &Options::default());
    let pieces = Options {
        unit: Unit::Wordpieces,
        ..Options::default()
    };
    // What is listed is what has a colour: of rebuilt's 0.75, ##built has 0.5.
    assert_eq!(
        list_of(&mill(), "Layer 1", &pieces),
        "Ada +1.50 Who +1.00 built +0.50 ##built +0.50 1877 -0.50 mill +0.25 By +0.25"
    );
    // Layer 1 of data/mill.json, as many as fit: re and ##built 0.25 + 0.5, by and ##ron 0.25 + 0.25.
    assert_eq!(
        list(&mill(), "Layer 1"),
        "Ada +1.50 Who +1.00 rebuilt +0.75 built +0.50 Byron +0.50 1877 -0.50"
    );
    // A word from right to left takes its place like any other.
    assert!(list(&scripts(), "Layer 2").starts_with("שלום +2.00 Who +0.50"));
}

#[test]
fn the_legend_has_the_true_scores_of_its_colours() {
    let ticks = |options: &Options| {
        let svg = svg(&mill(), options);
        let document = Document::parse(&svg).unwrap();
        let tiny = document
            .descendants()
            .filter(|node| node.attribute("font-size") == Some("9.5"));
        let texts = tiny.take(5).map(|node| {
            node.descendants()
                .filter(Node::is_text)
                .filter_map(|n| n.text())
                .collect::<String>()
        });
        texts.map(|text| text.trim().to_owned()).collect::<Vec<_>>()
    };
    // The words' map: their scale is 1.
    assert_eq!(
        ticks(&Options::default()),
        ["-1.00", "-0.50", "0", "+0.50", "+1.00"]
    );
    let root = Options {
        ramp: Ramp::Root,
        ..Options::default()
    };
    assert_eq!(ticks(&root), ["-1.00", "-0.25", "0", "+0.25", "+1.00"]);
    // And the colours are those of the roots: Byron has 0.5 of 1.5 in layer 1.
    let svg = svg(&mill(), &root);
    assert_eq!(
        colour(&svg, "Layer 1", "Byron"),
        hex(diverging((0.5_f32 / 1.5).sqrt()))
    );
    assert!(svg.contains("square") && svg.contains("root"));
}

#[test]
fn a_window_of_a_longer_passage_says_so() {
    let text = |explanation: &Explanation| {
        let svg = svg(explanation, &Options::default());
        let document = Document::parse(&svg).unwrap();
        let runs = runs(&document).into_iter();
        runs.map(|run| run.text + " ").collect::<String>()
    };
    assert!(!text(&mill()).contains("window"));
    let mut part = mill();
    (part.window.index, part.window.count) = (1, 3);
    assert!(text(&part).contains("window 2 of 3: characters 0 to 29 of the passage"));
}

#[test]
fn the_words_have_a_map_where_it_is_their_own() {
    let labels = |explanation: &Explanation| {
        let svg = svg(explanation, &Options::default());
        let document = Document::parse(&svg).unwrap();
        let labels = document
            .descendants()
            .filter_map(|node| node.attribute("aria-label"));
        labels.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(labels(&mill()), ["Words", "Layer 1", "Layer 2", "Output"]);
    let mut same = mill();
    same.layers[0].score.clone_from(&same.word_score);
    assert_eq!(labels(&same), ["Layer 1", "Layer 2", "Output"]);
    let text: String = {
        let svg = svg(&same, &Options::default());
        let document = Document::parse(&svg).unwrap();
        runs(&document)
            .into_iter()
            .map(|run| run.text + " ")
            .collect()
    };
    assert!(
        text.contains("are not drawn: they look as layer 1, token by token"),
        "{text}"
    );
}

#[test]
fn a_passage_keeps_its_paragraphs() {
    let mut explanation = mill();
    explanation.passage = "Ada Byron\nrebuilt it in\u{2029}1877.".to_owned();
    explanation.validate().unwrap();
    let svg = svg(&explanation, &Options::default());
    let document = Document::parse(&svg).unwrap();
    let group = document
        .descendants()
        .find(|node| node.attribute("aria-label") == Some("Layer 1"))
        .unwrap();
    let at = |word: &str| {
        let text = group
            .descendants()
            .find(|node| node.has_tag_name("text") && node.text() == Some(word));
        (length(text.unwrap(), "x"), length(text.unwrap(), "y"))
    };
    let (ada, rebuilt, year) = (at("Ada"), at("rebuilt"), at("1877."));
    assert!(ada.0 == rebuilt.0 && ada.0 == year.0);
    let line = 13.0 * 1.62;
    assert!(
        (rebuilt.1 - ada.1 - line).abs() < 0.05,
        "{ada:?} {rebuilt:?}"
    );
    assert!(
        (year.1 - rebuilt.1 - 1.5 * line).abs() < 0.05,
        "{rebuilt:?} {year:?}"
    );
}

#[test]
fn a_long_passage_fills_a_screen_and_not_a_scroll() {
    for (tokens, layers) in [(384, 6), (384, 12), (512, 24)] {
        let svg = svg(&long(tokens, layers), &Options::default());
        let document = Document::parse(&svg).unwrap();
        let root = document.root_element();
        let (width, height) = (length(root, "width"), length(root, "height"));
        assert!(
            height < width && width < 3.2 * height,
            "{tokens} {layers}: {width} {height}"
        );
        // Whole on a screen of 16 to 10, text of 13 units keeps a size that can be read at 2560 by 1600.
        let zoom = (2560.0 / width).min(1600.0 / height);
        assert!(
            layers > 12 || 13.0 * zoom > 9.0,
            "{tokens} {layers}: {}",
            13.0 * zoom
        );
    }
}

#[test]
fn the_same_bytes_every_time() {
    for name in ["a.svg", "a.png", "a.html", "a.json"] {
        let options = Options::default();
        assert!(
            render(name, &mill(), &options) == render(name, &mill(), &options),
            "{name}"
        );
    }
}

#[test]
fn the_png_is_the_svg_drawn() {
    let options = Options::default();
    let svg = svg(&mill(), &options);
    let document = Document::parse(&svg).unwrap();
    let root = document.root_element();
    let png = render("a.png", &mill(), &options);
    assert!(png.warnings.is_empty());
    let pixmap = tiny_skia::Pixmap::decode_png(&png.bytes).unwrap();
    assert_eq!(pixmap.width() as f32, 2.0 * length(root, "width"));
    assert_eq!(pixmap.height() as f32, 2.0 * length(root, "height"));
    let count = |wanted: Colour| {
        let same = |p: &&tiny_skia::PremultipliedColorU8| {
            (p.red(), p.green(), p.blue()) == (wanted.r, wanted.g, wanted.b)
        };
        pixmap.pixels().iter().filter(same).count()
    };
    // Mostly white, text in black, and the full red of each cut's strongest token.
    let all = pixmap.pixels().len();
    assert!(count(Colour::WHITE) > all / 2 && count(Colour::BLACK) > all / 1000);
    assert!(count(diverging(1.0)) > 1000);
    assert!(pixmap.pixels().iter().all(|p| p.alpha() == 255));
    let half = Options {
        zoom: 1.0,
        ..options
    };
    let small = tiny_skia::Pixmap::decode_png(&render("a.png", &mill(), &half).bytes).unwrap();
    assert_eq!(2 * small.width(), pixmap.width());
}

#[test]
fn what_the_font_lacks_is_said() {
    let svg = render("a.svg", &scripts(), &Options::default());
    let [warning] = svg.warnings.as_slice() else {
        panic!("{:?}", svg.warnings)
    };
    assert!(
        warning.contains("U+6771 東") && !warning.contains("U+05E9"),
        "{warning}"
    );
    let png = render("a.png", &scripts(), &Options::default());
    assert!(!png.warnings.is_empty());
    assert!(
        render("a.svg", &mill(), &Options::default())
            .warnings
            .is_empty()
    );
}

#[test]
fn the_figures_are_one_a_layer_and_the_output() {
    let figures = figures(&mill(), &Options::default()).unwrap();
    let names: Vec<&str> = figures.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "layer-01.svg",
            "layer-01.png",
            "layer-02.svg",
            "layer-02.png",
            "output.svg",
            "output.png"
        ]
    );
    for (name, figure) in &figures {
        if name.ends_with("svg") {
            let svg = String::from_utf8(figure.bytes.clone()).unwrap();
            assert_eq!(svg.matches("url(#spanlift-scale)").count(), 1, "{name}");
            assert_eq!(svg.matches("aria-label=").count(), 1, "{name}");
            // Each can stand alone: what was done, of which model, and which map it is.
            let document = Document::parse(&svg).unwrap();
            let text: String = runs(&document)
                .into_iter()
                .map(|run| run.text + " ")
                .collect();
            for said in [
                "method deeplift, rule rescale, reference mask, model tiny",
                "map at the",
            ] {
                assert!(text.contains(said), "{name}: {text}");
            }
        } else {
            assert!(tiny_skia::Pixmap::decode_png(&figure.bytes).is_ok());
        }
    }
}

#[test]
fn each_error_has_its_cause() {
    let error = |name: &str| format_for(name.as_ref()).err().unwrap().to_string();
    assert_eq!(
        error("x.pdf"),
        "unknown ending \".pdf\": expected one of .json, .svg, .png, .html, .htm"
    );
    assert_eq!(
        error("picture"),
        "unknown ending (none): expected one of .json, .svg, .png, .html, .htm"
    );
    let zoom = Options {
        zoom: 0.0,
        ..Options::default()
    };
    let png = format_for("a.png".as_ref()).unwrap();
    assert!(matches!(
        png.write(&mill(), &zoom),
        Err(RenderError::Zoom { .. })
    ));
    let mut broken = mill();
    broken.layers[0].score[0] = f32::NAN;
    for name in ["a.svg", "a.png", "a.html", "a.json"] {
        let format = format_for(name.as_ref()).unwrap();
        assert!(
            format.write(&broken, &Options::default()).is_err(),
            "{name}"
        );
    }
}
