//! The terminal's text: what it says, that it keeps to the page, and that nothing foreign can act in it.
#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use proptest::prelude::*;
use spanlift_explanation::{Explanation, Part, Token, Versus};
use spanlift_render::colour::{Colour, Ramp, diverging, diverging_ansi256};
use spanlift_render::{ColourDepth, Scale, TerminalOptions, Unit, terminal};
use unicode_width::UnicodeWidthStr;

/// A question, a passage of two sentences' worth of tokens, two layers of two heads; every number handmade.
fn mill() -> Explanation {
    Explanation::from_json(include_str!("data/mill.json")).unwrap()
}

/// The same scores on other text: each token of the passage is the text given, in a passage made of them.
fn with_passage(texts: &[&str]) -> Explanation {
    let mut explanation = mill();
    let mut passage = String::new();
    for (token, text) in explanation
        .tokens
        .iter_mut()
        .filter(|token| token.part == Part::Passage)
        .zip(texts)
    {
        let start = passage.chars().count();
        passage.push_str(text);
        (token.text, token.start) = ((*text).to_owned(), Some(start));
        token.end = Some(passage.chars().count());
        passage.push(' ');
    }
    assert_eq!(texts.len(), 9);
    explanation.window.end = passage.chars().count();
    let end = explanation.tokens[9].end;
    explanation.answer.end = end;
    explanation.answer.text = passage.chars().take(end.unwrap()).collect();
    explanation.passage = passage;
    explanation.candidates.clear();
    explanation.validate().unwrap();
    explanation
}

fn options(width: usize, colour: ColourDepth) -> TerminalOptions {
    TerminalOptions {
        width,
        colour,
        // What the model saw, so that each number can be found in the fixture.
        unit: Unit::Wordpieces,
        ..TerminalOptions::default()
    }
}

fn plain(explanation: &Explanation) -> String {
    terminal(explanation, &TerminalOptions::default())
}

/// The text without its escape sequences; anything but a well-formed SGR sequence fails the test.
fn stripped(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let mut stripped = parts.next().unwrap().to_owned();
    for part in parts {
        let (codes, text) = part.strip_prefix('[').unwrap().split_once('m').unwrap();
        assert!(
            codes
                .bytes()
                .all(|byte| byte == b';' || byte.is_ascii_digit()),
            "{codes:?}"
        );
        stripped.push_str(text);
    }
    stripped
}

/// No control but the newlines at the ends of lines; no direction but whole isolates; no line too wide.
fn check(text: &str, width: usize) {
    assert!(text.ends_with('\n'));
    for line in stripped(text).lines() {
        assert!(
            line.width() <= width,
            "{} columns of {width}: {line:?}",
            line.width()
        );
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(
            !line.contains(|c| ('\u{202a}'..='\u{202e}').contains(&c)),
            "{line:?}"
        );
        let count = |c| line.matches(c).count();
        assert_eq!(count('\u{2068}'), count('\u{2069}'), "{line:?}");
        assert_eq!(count('\u{2066}') + count('\u{2067}'), 0, "{line:?}");
    }
    // No style is carried into the next line.
    for line in text.lines() {
        assert!(
            !line.contains('\x1b') || line.rfind("\x1b[0m") == line.rfind('\x1b'),
            "{line:?}"
        );
    }
}

const DEPTHS: [ColourDepth; 3] = [
    ColourDepth::None,
    ColourDepth::Ansi256,
    ColourDepth::TrueColour,
];
const WIDTHS: [usize; 6] = [24, 33, 40, 80, 120, 200];

#[test]
fn without_colour_every_number_is_there() {
    // Scores, sums and Δt are those of data/mill.json; a word's score is the sum of its pieces': Byron at the words
    // 0.5 + 0.5, rebuilt 0.25 + 0.5. Three digits of the largest, five for sums.
    insta::assert_snapshot!(plain(&mill()), @r"
    question   Who built the mill?
    answer     Ada Byron
               probability 0.875  score +5.5000  null score -1.2500
    target     span  value +5.5000  at the reference +1.5000  Δt +4.0000
    method     deeplift  rule rescale  reference mask  model tiny
    sums       hold: |error| / max(1, Σ|score|) ≤ 3.1e-7 (bound 1e-4), at layer 2

    words      sum +4.0000   error 0        Who +1.00  ⟦Ada⟧ +1.00  ⟦Byron⟧ +1.00
                                            rebuilt +0.75  built +0.50  1877 -0.50
    layer 1    sum +4.0000   error 0        ⟦Ada⟧ +1.50  Who +1.00  rebuilt +0.75
                                            built +0.50  ⟦Byron⟧ +0.50  1877 -0.50
    layer 2    sum +4.0000   error 0        ⟦Ada⟧ +2.00  ⟦Byron⟧ +1.00  Who +0.50
                                            rebuilt +0.50  [CLS] +0.25  built +0.25
    output     sum +4.0000   error 0        ⟦Byron⟧ +2.50  ⟦Ada⟧ +1.50

    heads      contribution through each head
    head             1      2  residual      MLP  MLP resid.
    layer 1      +1.50  -0.50    +3.000  +0.5000      +3.500
    layer 2      +0.12  +1.25    +2.625  -0.7500      +4.750
               in each layer heads + residual = Δt, and MLP + MLP resid. = Δt
    strongest  layer 1 head 1 +1.50  layer 2 head 2 +1.25  layer 1 head 2 -0.50

    edges      query → key, pattern: where the head looks, content: what it carries
      layer 1 head 1  Ada @7 → Who @1         pattern +1.00  content +0.25
      layer 2 head 2  ##ron @9 → ##built @11  pattern -0.12  content +0.75
      layer 1 head 2  By @8 → [SEP] @16       pattern +0.00  content -0.50
    ");
}

#[test]
fn in_colour_the_text_reads_the_same() {
    let text = terminal(&mill(), &options(80, ColourDepth::TrueColour));
    insta::assert_snapshot!(stripped(&text), @r"
    question   Who built the mill?
    answer     Ada Byron
               probability 0.875  score +5.5000  null score -1.2500
    target     span  value +5.5000  at the reference +1.5000  Δt +4.0000
    method     deeplift  rule rescale  reference mask  model tiny
    sums       hold: |error| / max(1, Σ|score|) ≤ 3.1e-7 (bound 1e-4), at layer 2
    scale       -1  -¾  -½  -¼  0  +¼  +½  +¾  +1  × the scale of the cut
               red raises the target, blue lowers it

    words      sum +4.0000  error 0  scale ±1.00
      [CLS] Who built the mill? [SEP]
      ⟦Ada Byron⟧ rebuilt it in 1877. [SEP]

    layer 1    sum +4.0000  error 0  scale ±1.50
      [CLS] Who built the mill? [SEP]
      ⟦Ada Byron⟧ rebuilt it in 1877. [SEP]

    layer 2    sum +4.0000  error 0  scale ±2.00
      [CLS] Who built the mill? [SEP]
      ⟦Ada Byron⟧ rebuilt it in 1877. [SEP]

    output     sum +4.0000  error 0  scale ±2.50
      [CLS] Who built the mill? [SEP]
      ⟦Ada Byron⟧ rebuilt it in 1877. [SEP]

    heads      contribution through each head, in tenths of 1.50
    head         1  2  residual      MLP  MLP resid.
    layer 1    +10 -3    +3.000  +0.5000      +3.500
    layer 2     +1 +8    +2.625  -0.7500      +4.750
               in each layer heads + residual = Δt, and MLP + MLP resid. = Δt
    strongest  layer 1 head 1 +1.50  layer 2 head 2 +1.25  layer 1 head 2 -0.50

    edges      query → key, pattern: where the head looks, content: what it carries
      layer 1 head 1  Ada @7 → Who @1         pattern +1.00  content +0.25
      layer 2 head 2  ##ron @9 → ##built @11  pattern -0.12  content +0.75
      layer 1 head 2  By @8 → [SEP] @16       pattern +0.00  content -0.50
    ");
}

#[test]
fn without_colour_there_is_no_escape() {
    assert!(
        !plain(&with_passage(&[
            "\x1b[31m", "a", "b", "c", "d", "e", "f", "g", "h"
        ]))
        .contains('\x1b')
    );
}

#[test]
fn scores_are_painted_by_their_share_of_the_scale() {
    // Layer 1: Ada 1.5 is the largest; who 1.0 is 2/3 of it; 1877 -0.5 is -1/3.
    let text = terminal(&mill(), &options(80, ColourDepth::TrueColour));
    let layer = text
        .split("layer 1")
        .nth(1)
        .unwrap()
        .split("layer 2")
        .next()
        .unwrap();
    for (word, x, style) in [
        ("Ada", 1.0, "1;4;"),
        ("Who", 2.0 / 3.0, ""),
        ("1877", -1.0 / 3.0, ""),
        ("it", 0.0, ""),
    ] {
        let Colour { r, g, b } = diverging(x);
        let front = if word == "Ada" { 255 } else { 0 };
        let painted =
            format!("\x1b[{style}38;2;{front};{front};{front};48;2;{r};{g};{b}m{word}\x1b[0m");
        // White on white is one stretch with the blanks around it.
        let painted = if x == 0.0 {
            format!("48;2;{r};{g};{b}m {word} in ")
        } else {
            painted
        };
        assert!(layer.contains(&painted), "{painted:?} in {layer:?}");
    }
    let text = terminal(&mill(), &options(80, ColourDepth::Ansi256));
    let layer = text.split("layer 1").nth(1).unwrap();
    // 2/3 rounds to 3/4 and -1/3 to -1/4.
    assert!(
        layer.contains(&format!("48;5;{}mWho", diverging_ansi256(0.75))),
        "{layer:?}"
    );
    assert!(
        layer.contains(&format!("48;5;{}m1877", diverging_ansi256(-0.25))),
        "{layer:?}"
    );
}

#[test]
fn a_shared_scale_is_the_largest_of_all_cuts() {
    // 2.5, of the output; Ada in layer 1 is 1.5/2.5 = 0.6 of it.
    let scale = Scale::Shared;
    let text = terminal(
        &mill(),
        &TerminalOptions {
            scale,
            ..options(80, ColourDepth::TrueColour)
        },
    );
    assert!(
        stripped(&text)
            .contains("scale       -2.50  -1.25  0  +1.25  +2.50  one scale for all cuts\n")
    );
    assert_eq!(stripped(&text).matches("scale ±2.50").count(), 4);
    let Colour { r, g, b } = diverging(0.6);
    assert!(
        text.split("layer 1")
            .nth(1)
            .unwrap()
            .contains(&format!("48;2;{r};{g};{b}mAda"))
    );
}

#[test]
fn special_tokens_are_paler_and_the_answer_is_bracketed() {
    let text = terminal(&mill(), &options(80, ColourDepth::TrueColour));
    let line = text.lines().find(|line| line.contains("[CLS]")).unwrap();
    let front = line
        .split("38;2;")
        .nth(1)
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    assert!((1..128).contains(&front.parse::<u8>().unwrap()), "{line:?}");
    assert!(stripped(&text).contains("⟦Ada Byron⟧ rebuilt it in 1877. [SEP]\n"));
}

#[test]
fn sums_that_do_not_hold_are_loud() {
    let mut explanation = mill();
    (
        explanation.completeness.holds,
        explanation.completeness.worst,
    ) = (false, 0.25);
    explanation.completeness.cut = "heads 2".to_owned();
    assert!(
        plain(&explanation)
            .contains("WARNING: they do not hold. Worst error 2.5e-1, bound 1e-4, at the")
    );
    assert!(!plain(&explanation).contains("hold: |error|"));
    assert!(!plain(&mill()).contains("WARNING"));
}

#[test]
fn no_answer_is_said_and_the_best_span_shown() {
    let mut explanation = mill();
    let answer = &mut explanation.answer;
    (
        answer.has_answer,
        answer.start,
        answer.end,
        answer.start_token,
        answer.end_token,
    ) = (false, None, None, 0, 0);
    answer.text.clear();
    explanation.validate().unwrap();
    // The probability of no answer stands with it, the best span's with the span.
    assert!(plain(&explanation).contains(
        "answer     no answer\n           probability 0.875  null score -1.2500\n\
         best span  Ada Byron  probability 0.875  score +5.5000\n"
    ));
    let text = stripped(&terminal(&explanation, &options(80, ColourDepth::Ansi256)));
    assert!(text.contains("⟦[CLS]⟧ Who built the mill? [SEP]\n"));
}

#[test]
fn a_given_answer_says_so_beside_the_best_span() {
    let mut explanation = mill();
    explanation.answer.given = true;
    let text = plain(&explanation);
    assert!(text.contains("answer     Ada Byron  (given, not the model's own choice)\n"));
    assert!(text.contains("best span  Ada Byron  probability 0.875  score +5.5000\n"));
}

#[test]
fn the_unit_is_what_has_a_colour_and_is_listed() {
    // Layer 1: by 0.25, ##ron 0.25; the scale is 1.5.
    let unit = |unit| TerminalOptions {
        unit,
        ..options(80, ColourDepth::TrueColour)
    };
    for (which, share) in [(Unit::Wordpieces, 0.25), (Unit::Words, 0.5)] {
        let text = terminal(&mill(), &unit(which));
        let layer = text.split("layer 1").nth(1).unwrap();
        let Colour { r, g, b } = diverging(share / 1.5);
        assert!(layer.contains(&format!("48;2;{r};{g};{b}mBy")), "{which:?}");
    }
    let pieces = terminal(
        &mill(),
        &TerminalOptions {
            unit: Unit::Wordpieces,
            ..TerminalOptions::default()
        },
    );
    assert!(
        pieces.contains("##built +0.50") && !pieces.contains("rebuilt +"),
        "{pieces}"
    );
}

#[test]
fn the_root_shows_small_scores_and_says_their_size() {
    let rooted = TerminalOptions {
        ramp: Ramp::Root,
        ..options(80, ColourDepth::TrueColour)
    };
    let text = terminal(&mill(), &rooted);
    let legend = "scale       -1  -.56  -.25  -.06  0  +.06  +.25  +.56  +1 \n           × the scale of the cut\n";
    assert!(stripped(&text).contains(legend), "{}", stripped(&text));
    // 0.25 of 1.5, Byron's first wordpiece in layer 1.
    let Colour { r, g, b } = diverging((0.25_f32 / 1.5).sqrt());
    let layer = text.split("layer 1").nth(1).unwrap();
    assert!(layer.contains(&format!("48;2;{r};{g};{b}mBy")));
    let shared = TerminalOptions {
        scale: Scale::Shared,
        ..rooted
    };
    let text = stripped(&terminal(&mill(), &shared));
    assert!(text.contains("-2.50  -0.62  0  +0.62  +2.50"), "{text}");
}

#[test]
fn a_passage_keeps_its_paragraphs() {
    let mut explanation = mill();
    // The same characters, two of the blanks being line ends; then a blank line.
    explanation.passage = "Ada Byron\nrebuilt it in\u{2029}1877.".to_owned();
    explanation.validate().unwrap();
    let text = stripped(&terminal(&explanation, &options(80, ColourDepth::Ansi256)));
    assert!(
        text.contains("\n  ⟦Ada Byron⟧\n  rebuilt it in\n\n  1877. [SEP]\n"),
        "{text}"
    );
}

/// The words and the first layer look the same where LayerNorm alone lies between them.
#[test]
fn a_cut_that_looks_like_the_next_is_not_drawn_twice() {
    let mut explanation = mill();
    explanation.layers[0].score = explanation.word_score.clone();
    let listed = plain(&explanation);
    assert_eq!(listed.matches("⟦Ada⟧ +1.00").count(), 1, "{listed}");
    let text = stripped(&terminal(&explanation, &options(80, ColourDepth::Ansi256)));
    assert_eq!(text.matches("Who built the mill? [SEP]").count(), 3);
    assert!(text.contains("as layer 1, token by token"));
}

#[test]
fn windows_references_and_the_other_span_are_named() {
    let mut explanation = mill();
    (
        explanation.window.index,
        explanation.window.count,
        explanation.method.references,
    ) = (1, 3, 4);
    explanation.target.versus = Some(Versus {
        text: "in 1877".to_owned(),
        start_token: 13,
        end_token: 14,
    });
    let text = plain(&explanation);
    assert!(
        text.contains("window 2 of 3") && text.contains("reference mask  (mean of 4)"),
        "{text}"
    );
    assert!(text.contains("in 1877  value +5.5000"), "{text}");
}

#[test]
fn what_lies_before_the_window_is_hinted_at() {
    let mut explanation = mill();
    explanation.passage.insert_str(0, "Once. ");
    for token in explanation
        .tokens
        .iter_mut()
        .filter(|token| token.part == Part::Passage)
    {
        (token.start, token.end) = (token.start.map(|c| c + 6), token.end.map(|c| c + 6));
    }
    explanation.window.start = 6;
    let text = stripped(&terminal(
        &explanation,
        &options(80, ColourDepth::TrueColour),
    ));
    assert!(text.contains("\n  … ⟦Ada Byron⟧ rebuilt"), "{text}");
    assert!(!text.contains("Once"));
}

#[test]
fn foreign_text_cannot_act() {
    let odd = with_passage(&[
        "\x1b]0;title\x07",
        "a\nb",
        "\u{202e}x",
        "\t",
        "\u{9b}31m",
        "e\u{301}",
        "東京",
        "👩\u{200d}🚀",
        "\u{2069}",
    ]);
    for (width, colour) in WIDTHS
        .into_iter()
        .flat_map(|width| DEPTHS.map(|colour| (width, colour)))
    {
        let text = terminal(&odd, &options(width, colour));
        check(&text, width);
    }
    let text = stripped(&terminal(&odd, &options(80, ColourDepth::TrueColour)));
    assert!(
        text.contains("⟦�]0;title� a�b �x⟧ ␣ �31m e\u{301} 東京 👩\u{200d}🚀 � [SEP]\n"),
        "{text}"
    );
}

#[test]
fn right_to_left_text_is_isolated_as_a_run() {
    let hebrew = with_passage(&["in", "של", "ום", "1877", "עולם", "and", "b", "c", "אב"]);
    let text = stripped(&terminal(&hebrew, &options(80, ColourDepth::TrueColour)));
    // The bracket inside the run turns with it; the letters after it do not.
    assert!(
        text.contains("⟦in \u{2068}של ום⟧ 1877 עולם\u{2069} and b c \u{2068}אב\u{2069} [SEP]"),
        "{text}"
    );
    // In a list each word stands alone: its number stays behind it.
    assert!(
        plain(&hebrew).contains("⟦\u{2068}של\u{2069}⟧ +"),
        "{}",
        plain(&hebrew)
    );
    for width in WIDTHS {
        check(
            &terminal(&hebrew, &options(width, ColourDepth::Ansi256)),
            width,
        );
    }
}

#[test]
fn a_token_wider_than_the_page_is_broken() {
    let long = "x".repeat(100);
    let wide = "東".repeat(50);
    let texts = [long.as_str(), &wide, "a", "b", "c", "d", "e", "f", "g"];
    let explanation = with_passage(&texts);
    for (width, colour) in WIDTHS
        .into_iter()
        .flat_map(|width| DEPTHS.map(|colour| (width, colour)))
    {
        check(&terminal(&explanation, &options(width, colour)), width);
    }
    let text = stripped(&terminal(&explanation, &options(40, ColourDepth::Ansi256)));
    // 38 columns behind the margin: the bracket and 37, then 38, then the rest: all hundred are there.
    let line = format!(
        "\n  ⟦{}\n  {}\n  {}",
        "x".repeat(37),
        "x".repeat(38),
        "x".repeat(25)
    );
    assert!(text.contains(&line), "{text}");
}

#[test]
fn heads_that_do_not_fit_follow_below() {
    let mut explanation = mill();
    let heads = 16;
    explanation.model.heads = heads;
    explanation.heads.score = vec![vec![0.375; heads]; 2];
    explanation.heads.by_token = vec![vec![vec![0.0; 17]; heads]; 2];
    explanation.validate().unwrap();
    for (width, colour) in WIDTHS
        .into_iter()
        .flat_map(|width| DEPTHS.map(|colour| (width, colour)))
    {
        let text = terminal(&explanation, &options(width, colour));
        check(&text, width);
        let cells = stripped(&text)
            .matches(if colour == ColourDepth::None {
                "+0.375"
            } else {
                "+10"
            })
            .count();
        // Each head of each layer; without colour three more in the list of the strongest.
        assert_eq!(
            cells,
            if colour == ColourDepth::None {
                32 + 3
            } else {
                32
            },
            "{text}"
        );
    }
}

#[test]
fn what_is_no_number_and_what_is_missing_is_shown_and_not_painted() {
    // Not valid, and not refused: a renderer shows what there is.
    let mut explanation = mill();
    explanation.layers[0].score[1] = f32::NAN;
    explanation.layers[1].score.truncate(3);
    explanation.heads.score[0] = vec![f32::NAN];
    explanation.heads.residual.clear();
    explanation.top_edges[0].key = 99;
    explanation.tokens.push(Token {
        start: Some(80),
        end: Some(90),
        ..explanation.tokens[9].clone()
    });
    explanation.target.delta = f64::NAN;
    for colour in DEPTHS {
        check(&terminal(&explanation, &options(80, colour)), 80);
    }
    assert!(plain(&explanation).contains("Who NaN"));
    let text = terminal(&explanation, &options(80, ColourDepth::TrueColour));
    assert!(text.contains("48;2;128;128;128mWho"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any text at all, at any width: within the page, harmless, and complete in its order.
    #[test]
    fn any_text_keeps_to_the_page(
        texts in prop::collection::vec("[\\s\\S]{1,12}", 9),
        width in 24_usize..130,
        depth in prop::sample::select(DEPTHS.to_vec()),
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut explanation = with_passage(&texts);
        explanation.question = explanation.passage.clone();
        check(&terminal(&explanation, &options(width, depth)), width);
    }
}
