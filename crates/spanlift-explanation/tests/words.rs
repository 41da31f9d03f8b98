//! Tokens joined to words, on handmade texts.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod common;

use common::{cafe, piece, special, zeros};
use spanlift_explanation::{Characters, Part, Texts, Token, is_blank, words};

/// The words' texts for a passage cut into these tokens.
fn texts(passage: &str, tokens: &[(&str, usize, usize)]) -> Vec<String> {
    texts_of("bert", passage, tokens)
}

fn texts_of(family: &str, passage: &str, tokens: &[(&str, usize, usize)]) -> Vec<String> {
    let mut all = vec![special("[CLS]"), special("[SEP]")];
    all.extend(
        tokens
            .iter()
            .map(|&(text, start, end)| piece(text, Part::Passage, start, end)),
    );
    all.push(special("[SEP]"));
    let mut explanation = zeros("", passage, all, 1, 1);
    explanation.model.family = family.to_owned();
    explanation.validate().unwrap();
    words(&explanation)
        .into_iter()
        .map(|word| word.text)
        .collect()
}

/// A row of the table that `web/tests/unit/units.test.ts` reads as well.
#[derive(serde::Deserialize)]
struct Row {
    name: String,
    family: String,
    passage: String,
    tokens: Vec<(String, usize, usize)>,
    words: Vec<String>,
}

#[test]
fn every_family_marks_its_words() {
    let rows: Vec<Row> = serde_json::from_str(include_str!("data/words.json")).unwrap();
    for row in &rows {
        let tokens: Vec<_> = row
            .tokens
            .iter()
            .map(|(text, a, b)| (text.as_str(), *a, *b))
            .collect();
        let found = texts_of(&row.family, &row.passage, &tokens);
        assert_eq!(
            &found[2..found.len() - 1],
            row.words,
            "{}: {}",
            row.family,
            row.name
        );
    }
    for family in [
        "bert",
        "roberta",
        "xlm-roberta",
        "distilbert",
        "electra",
        "mobilebert",
        "deberta-v2",
    ] {
        assert!(rows.iter().any(|row| row.family == family), "{family}");
    }
}

#[test]
fn pieces_of_a_word_are_joined_and_specials_stand_alone() {
    let words = words(&cafe());
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    assert_eq!(texts, ["[CLS]", "Who", "[SEP]", "Café", "!", "[SEP]"]);
    let cafe = &words[3];
    assert_eq!(
        (cafe.tokens.clone(), cafe.part, cafe.start, cafe.end),
        (3..5, Part::Passage, Some(0), Some(4))
    );
    assert_eq!((words[5].start, words[5].end), (None, None));
}

#[test]
fn punctuation_touches_and_is_no_part() {
    // "don't (stop)!" as BERT cuts it.
    let tokens = [
        ("don", 0, 3),
        ("'", 3, 4),
        ("t", 4, 5),
        ("(", 6, 7),
        ("stop", 7, 11),
        (")", 11, 12),
        ("!", 12, 13),
    ];
    assert_eq!(
        texts("don't (stop)!", &tokens),
        [
            "[CLS]", "[SEP]", "don", "'", "t", "(", "stop", ")", "!", "[SEP]"
        ]
    );
}

#[test]
fn emoji_and_accents_are_sliced_from_the_text() {
    // Characters: N a ï v e (0-5), blank, 😀 (6-7), Œ u v r e s (8-14).
    let tokens = [
        ("nai", 0, 3),
        ("##ve", 3, 5),
        ("[UNK]", 6, 7),
        ("œ", 8, 9),
        ("##uvres", 9, 14),
    ];
    assert_eq!(
        texts("Naïve 😀 Œuvres", &tokens),
        ["[CLS]", "[SEP]", "Naïve", "😀", "Œuvres", "[SEP]"]
    );
}

#[test]
fn a_dropped_accent_does_not_split_a_word() {
    // e and a combining acute: the tokenizer drops the accent, so that no token covers character 4.
    assert_eq!(
        texts("cafe\u{301}s", &[("cafe", 0, 4), ("##s", 5, 6)])[2],
        "cafe\u{301}s"
    );
}

#[test]
fn a_continuation_mark_alone_joins_nothing() {
    // White space between, no word before, another part before.
    assert_eq!(
        texts("a b", &[("a", 0, 1), ("##b", 2, 3)]),
        ["[CLS]", "[SEP]", "a", "b", "[SEP]"]
    );
    assert_eq!(
        texts("ab", &[("##ab", 0, 2)]),
        ["[CLS]", "[SEP]", "ab", "[SEP]"]
    );
    let question = piece("##x", Part::Question, 0, 1);
    let explanation = zeros(
        "x",
        "y",
        vec![special("[CLS]"), question, special("[SEP]")],
        1,
        1,
    );
    assert_eq!(words(&explanation).len(), 3);
}

#[test]
fn a_token_without_offsets_is_a_word_of_its_own() {
    let lost = Token {
        start: None,
        end: None,
        ..piece("##b", Part::Passage, 0, 0)
    };
    let tokens = vec![
        special("[CLS]"),
        piece("a", Part::Passage, 0, 1),
        lost,
        special("[SEP]"),
    ];
    let words = words(&zeros("", "ab", tokens, 1, 1));
    assert_eq!(
        words
            .iter()
            .map(|word| word.text.as_str())
            .collect::<Vec<_>>(),
        ["[CLS]", "a", "##b", "[SEP]"]
    );
}

#[test]
fn offsets_are_given_without_blanks_and_marks() {
    let tokens = vec![
        special("<s>"),
        piece("a", Part::Passage, 0, 1),
        piece("Ġ", Part::Passage, 1, 2),
        piece("Ġbc", Part::Passage, 1, 4),
        piece("Ċ", Part::Passage, 4, 5),
        special("</s>"),
    ];
    let mut explanation = zeros("", "a bc\n", tokens, 1, 1);
    explanation.model.family = "roberta".to_owned();
    let texts = Texts::new(&explanation);
    let spans = explanation.tokens.iter().map(|token| texts.span(token));
    assert_eq!(
        spans.collect::<Vec<_>>(),
        [
            None,
            Some((0, 1)),
            Some((2, 2)),
            Some((2, 4)),
            Some((4, 4)),
            None
        ]
    );
}

#[test]
fn white_space_is_what_parts_words() {
    let blanks = (0..=0x0010_ffff)
        .filter_map(char::from_u32)
        .filter(|&c| is_blank(c));
    let blanks: String = blanks.collect();
    // Unicode's White_Space, https://www.unicode.org/Public/UCD/latest/ucd/PropList.txt, less U+000B, U+000C, U+0085.
    assert_eq!(
        blanks,
        "\t\n\r \u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\
         \u{2028}\u{2029}\u{202f}\u{205f}\u{3000}"
    );
}

#[test]
fn a_score_is_the_sum_of_its_tokens() {
    let cafe = &words(&cafe())[3];
    assert_eq!(cafe.score(&[9.0, 9.0, 9.0, 0.5, -0.75, 9.0, 9.0]), -0.25);
    assert_eq!(cafe.score(&[9.0, 9.0, 9.0, 0.5]), 0.5);
    assert_eq!(cafe.score(&[]), 0.0);
}

#[test]
fn scores_are_summed_in_f64() {
    // 2^24 + 1 + 1 + ...: in f32 each 1 is lost to rounding.
    let tokens = [("a", 0, 1), ("##b", 1, 2), ("##c", 2, 3)];
    let mut all = vec![special("[CLS]"), special("[SEP]")];
    all.extend(tokens.map(|(text, start, end)| piece(text, Part::Passage, start, end)));
    all.push(special("[SEP]"));
    let word = &words(&zeros("", "abc", all, 1, 1))[2];
    assert_eq!(
        word.score(&[0.0, 0.0, 16_777_216.0, 1.0, 1.0]),
        16_777_218.0
    );
}

#[test]
fn characters_are_counted_not_bytes() {
    let text = Characters::new("aé😀");
    assert_eq!(text.count(), 3);
    assert_eq!(text.slice(1, 3), Some("é😀"));
    assert_eq!(text.slice(3, 3), Some(""));
    assert_eq!(
        (text.slice(2, 1), text.slice(0, 4), text.slice(4, 4)),
        (None, None, None)
    );
    let ascii = Characters::new("abc");
    assert_eq!(
        (
            ascii.count(),
            ascii.slice(1, 3),
            ascii.slice(2, 4),
            ascii.slice(3, 2)
        ),
        (3, Some("bc"), None, None)
    );
    assert_eq!(
        (Characters::new("").count(), Characters::new("").slice(0, 0)),
        (0, Some(""))
    );
}
