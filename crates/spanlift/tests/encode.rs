//! Tokens and windows: every token slices the text that was given, every passage token is in a window.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests panic to fail"
)]

mod tiny;

use std::path::Path;

use proptest::prelude::*;
use safetensors::Dtype;
use serde_json::{Value, json};
use spanlift::encode::{EncodeError, Encoded, EncodedToken, Encoding, Vocabulary, find_span};
use spanlift_explanation::{Part, Window};
use tiny::{Tiny, WORDS, tokenizer_json};

fn vocabulary() -> Vocabulary {
    Tiny::new().loaded().vocabulary
}

fn from_words(words: &[&str], config: &Value) -> Vocabulary {
    let tiny = Tiny::of(Dtype::F32, words.len()).file("vocab.txt", words.join("\n"));
    tiny.file("tokenizer_config.json", config.to_string())
        .loaded()
        .vocabulary
}

fn from_json(words: &[&str], json: &Value) -> Vocabulary {
    let tiny = Tiny::of(Dtype::F32, words.len()).without("tokenizer_config.json");
    tiny.file("tokenizer.json", json.to_string())
        .loaded()
        .vocabulary
}

fn ids(tokens: &[EncodedToken]) -> Vec<u32> {
    tokens.iter().map(|token| token.id).collect()
}

fn slice(text: &str, start: usize, end: usize) -> String {
    text.chars().skip(start).take(end - start).collect()
}

// Tokens.

#[test]
fn words_pieces_and_their_characters() {
    let encoded = vocabulary().encode("Where is\tthe Towers?", "the").unwrap();
    let tokens: Vec<_> = encoded
        .question
        .iter()
        .map(|t| (t.text.as_str(), t.id, t.start, t.end))
        .collect();
    let expected = [
        ("where", 16, 0, 5),
        ("is", 7, 6, 8),
        ("the", 5, 9, 12),
        ("tower", 9, 13, 18),
        ("##s", 10, 18, 19),
        ("?", 15, 19, 20),
    ];
    assert_eq!(tokens, expected);
}

#[test]
fn offsets_count_the_characters_that_were_given() {
    // e and a combining accent; a crab of four bytes; NUL and a zero-width joiner, which are removed; two of Chinese.
    let passage = "cafe\u{301} 🦀 to\u{0}w\u{200d}er 東京";
    let encoded = vocabulary().encode("is", passage).unwrap();
    let tokens: Vec<_> = encoded
        .passage
        .iter()
        .map(|t| (t.text.as_str(), t.start, t.end))
        .collect();
    // c0 a1 f2 e3 ́4 ␣5 🦀6 ␣7 t8 o9 ␀10 w11 ‍12 e13 r14 ␣15 東16 京17. The accent that was stripped stays with its letter.
    let expected = [
        ("cafe", 0, 5),
        ("[UNK]", 6, 7),
        ("tower", 8, 15),
        ("東", 16, 17),
        ("京", 17, 18),
    ];
    assert_eq!(tokens, expected);
    assert_eq!(encoded.passage_characters, 18);
}

#[test]
fn text_that_spells_a_special_token() {
    let encoded = vocabulary()
        .encode("is [MASK]?", "the [SEP] old [CLS]")
        .unwrap();
    assert_eq!(ids(&encoded.question), [7, 4, 15]);
    assert_eq!(ids(&encoded.passage), [5, 3, 8, 2]);
    assert_eq!((encoded.passage[1].start, encoded.passage[1].end), (4, 9));
    let window = &cut(&encoded, &vocabulary(), 384, 128).unwrap()[0];
    let parts: Vec<Part> = window.tokens.iter().map(|token| token.part).collect();
    let (s, q, p) = (Part::Special, Part::Question, Part::Passage);
    assert_eq!(parts, [s, q, q, q, s, p, p, p, p, s]);
}

/// The ids that a float64 PyTorch run was made with, tokenised by Hugging Face's `BertTokenizer`.
#[test]
fn ids_of_another_implementation() {
    let words = "[PAD] [UNK] [CLS] [SEP] [MASK] the a of in when who what where did was is river tram station tower \
                 keeper opened built painted moved 1893 1901 1877 spring winter first second line bridge harbour north \
                 south old new glass light boat mayor school to and by for before after it . , ? ##s ##ed";
    let words: Vec<&str> = words.split_whitespace().collect();
    let vocabulary = from_words(&words, &json!({ "do_lower_case": true }));
    let encoded = vocabulary.encode(
        "when was the tower opened ?",
        "the old tower was built in 1877 , and it opened in spring 1893 . the keeper painted it in 1901 .",
    );
    let window = &cut(&encoded.unwrap(), &vocabulary, 64, 32).unwrap()[0];
    let expected = [
        2, 9, 14, 5, 19, 21, 53, 3, 5, 37, 19, 14, 22, 8, 27, 52, 45, 50, 21, 8, 28, 25, 51, 5, 20,
        23, 50, 8, 26, 51, 3,
    ];
    assert_eq!(window.ids, expected);
}

#[test]
fn vocab_txt_is_the_tokenizer_it_stands_for() {
    let texts = [
        "The CAFÉ is the café",
        "Cafe\u{301}, the café. 東京 is old?",
        "the towers[SEP]Tower [UNK]",
        "ΑΣ\u{130}İ",
    ];
    for (config, lowercase, accents, chinese) in [
        (json!({}), true, Value::Null, true),
        (json!({ "do_lower_case": true }), true, Value::Null, true),
        (json!({ "do_lower_case": false }), false, Value::Null, true),
        (
            json!({ "do_lower_case": false, "strip_accents": true }),
            false,
            json!(true),
            true,
        ),
        (
            json!({ "do_lower_case": true, "strip_accents": false }),
            true,
            json!(false),
            true,
        ),
        (
            json!({ "tokenize_chinese_chars": false }),
            true,
            Value::Null,
            false,
        ),
        (
            json!({ "tokenizer_class": "BertTokenizer", "model_max_length": 512 }),
            true,
            Value::Null,
            true,
        ),
    ] {
        let words = from_words(&WORDS, &config);
        let whole = from_json(&WORDS, &tokenizer_json(&WORDS, lowercase, accents, chinese));
        for text in texts {
            assert_eq!(
                words.encode("is", text),
                whole.encode("is", text),
                "{config} {text}"
            );
        }
    }
}

#[test]
fn case_and_accents() {
    let ids_of = |config: Value| {
        let vocabulary = from_words(&WORDS, &config);
        ids(&vocabulary
            .encode("is", "The the CAFÉ café 東京")
            .unwrap()
            .passage)
    };
    // cafe 6, café 11, CAFÉ 13, the 5, The 12, unknown 1, 東 17, 京 18.
    assert_eq!(ids_of(json!({})), [5, 5, 6, 6, 17, 18]);
    assert_eq!(
        ids_of(json!({ "do_lower_case": false })),
        [12, 5, 13, 11, 17, 18]
    );
    assert_eq!(
        ids_of(json!({ "strip_accents": false })),
        [5, 5, 11, 11, 17, 18]
    );
    assert_eq!(
        ids_of(json!({ "tokenize_chinese_chars": false })),
        [5, 5, 6, 6, 1]
    );
}

#[test]
fn the_config_overrules_the_normalizer_and_a_note_says_so() {
    let json = tokenizer_json(&WORDS, true, Value::Null, true).to_string();
    let tiny = Tiny::new().file("tokenizer.json", json);
    let config = json!({ "do_lower_case": false, "tokenize_chinese_chars": true }).to_string();
    let checkpoint = tiny.clone().file("tokenizer_config.json", config).loaded();
    assert_eq!(checkpoint.notes.len(), 1);
    assert!(
        checkpoint.notes[0].ends_with("in do_lower_case"),
        "{:?}",
        checkpoint.notes
    );
    assert_eq!(
        ids(&checkpoint.vocabulary.encode("The", "the").unwrap().question),
        [12]
    );
    let checkpoint = tiny.loaded();
    assert_eq!(checkpoint.notes, [""; 0]);
    assert_eq!(
        ids(&checkpoint.vocabulary.encode("The", "the").unwrap().question),
        [5]
    );
}

#[test]
fn stored_truncation_and_padding_are_off() {
    let mut json = tokenizer_json(&WORDS, true, Value::Null, true);
    json["truncation"] =
        json!({ "direction": "Right", "max_length": 128, "strategy": "LongestFirst", "stride": 0 });
    json["padding"] = json!({ "strategy": { "Fixed": 200 }, "direction": "Right", "pad_to_multiple_of": null,
                              "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]" });
    let vocabulary = from_json(&WORDS, &json);
    let encoded = vocabulary.encode("is", &"tower ".repeat(300)).unwrap();
    assert_eq!(ids(&encoded.passage), [9; 300]);
    assert_eq!(ids(&encoded.question), [7]);
}

#[test]
fn a_post_processor_adds_nothing() {
    let mut json = tokenizer_json(&WORDS, true, Value::Null, true);
    json["post_processor"] =
        json!({ "type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2] });
    let encoded = from_json(&WORDS, &json).encode("is", "the old").unwrap();
    assert_eq!(ids(&encoded.passage), [5, 8]);
}

#[test]
fn parts_of_a_tokenizer_that_are_not_used_are_not_read() {
    for unused in ["decoder", "post_processor", "truncation", "padding"] {
        let mut json = tokenizer_json(&WORDS, true, Value::Null, true);
        json[unused] = json!({ "type": "OfAnotherVersion" });
        let encoded = from_json(&WORDS, &json).encode("is", "the old").unwrap();
        assert_eq!(ids(&encoded.passage), [5, 8]);
    }
}

#[test]
fn texts_without_a_token() {
    let vocabulary = vocabulary();
    for text in [
        "",
        " ",
        "\u{0}",
        " \t\r\n\u{a0}\u{3000}",
        "\u{200d}\u{feff}\u{7}",
    ] {
        let characters = text.chars().count();
        let error = vocabulary.encode(text, "the").unwrap_err();
        assert_eq!(error, EncodeError::EmptyQuestion { characters });
        assert!(error.to_string().contains("the question"), "{error}");
        let error = vocabulary.encode("the", text).unwrap_err();
        assert_eq!(error, EncodeError::EmptyPassage { characters });
        assert!(error.to_string().contains("the passage"), "{error}");
    }
}

#[test]
fn an_unknown_word_without_a_token_for_it() {
    let words: Vec<&str> = WORDS.into_iter().filter(|&word| word != "[UNK]").collect();
    let vocabulary = from_words(&words, &json!({}));
    assert_eq!((vocabulary.unk, vocabulary.mask), (None, Some(3)));
    assert!(vocabulary.encode("the", "old tower").is_ok());
    for (question, passage, expected) in [
        ("xyz", "the", Part::Question),
        ("the", "xyz", Part::Passage),
    ] {
        let error = vocabulary.encode(question, passage).unwrap_err();
        assert!(
            matches!(error, EncodeError::Tokenizer { part, .. } if part == expected),
            "{error}"
        );
        assert!(error.to_string().contains("[UNK]"), "{error}");
    }
}

/// A word table that knows letters, marks and jamo by themselves, so that words fall into many pieces.
fn letters() -> Vocabulary {
    let mut words: Vec<String> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        .map(String::from)
        .to_vec();
    let ranges = [
        '!'..='~',
        'à'..='ÿ',
        '\u{300}'..='\u{32f}',
        '\u{1100}'..='\u{11ff}',
        'α'..='ω',
    ];
    for letter in ranges
        .into_iter()
        .flatten()
        .filter(|letter| !letter.is_uppercase())
    {
        words.extend([letter.to_string(), format!("##{letter}")]);
    }
    words.extend(["🦀", "##🦀", "👩", "##👩", "가", "##가"].map(String::from));
    from_words(
        &words.iter().map(String::as_str).collect::<Vec<_>>(),
        &json!({}),
    )
}

/// The real vocabulary, over a table of a tiny model.
fn real(config: &'static str) -> Vocabulary {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/minilm-l6-squad2");
    let json = std::fs::read(folder.join("tokenizer.json")).expect("the default model");
    let tiny = Tiny::of(Dtype::F32, 30_522).file("tokenizer.json", json);
    tiny.file("tokenizer_config.json", config)
        .loaded()
        .vocabulary
}

fn any_text() -> impl Strategy<Value = String> {
    let snippets = prop::sample::select(vec![
        "[SEP]",
        "[MASK]",
        "[UNK] ",
        "[cls]",
        "##s",
        " ",
        "\t",
        "\n",
        "\u{0}",
        "\u{fffd}",
        "\u{7f}",
        "\u{200d}",
        "\u{feff}",
        "\u{301}",
        "e\u{301}\u{302}",
        "\u{344}",
        "ﬁ",
        "ß",
        "ẞ",
        "İ",
        "ı",
        "각",
        "한국어",
        "ᄀ\u{1161}\u{11a8}",
        "東京",
        "豈",
        "𠀀",
        "クラブ",
        "👩‍👩‍👧‍👦",
        "🦀",
        "🇩🇪",
        "❤\u{fe0f}",
        "Ångström",
        "naïve",
        "Σίσυφος",
        "العربية",
        "हिन्दी",
        "ไทย",
        "\u{2028}",
        "\u{10ffff}",
        "it's",
        "1,000",
        "\u{e000}",
        "a\u{0}b",
        "x\u{ad}y",
        "\u{f900}",
        "ſ",
        "K",
        "\u{1d15e}",
        "\u{fb2c}",
    ]);
    let part = prop_oneof![
        4 => snippets.prop_map(String::from),
        2 => "[a-zA-Z]{1,6} ?",
        1 => any::<char>().prop_map(String::from),
        1 => "\\PC{0,6}",
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// Every token of the text slices it, in order.
fn slices(vocabulary: &Vocabulary, text: &str) -> Result<(), TestCaseError> {
    let characters = text.chars().count();
    let encoded = match vocabulary.encode("the", text) {
        Ok(encoded) => encoded,
        Err(EncodeError::EmptyPassage {
            characters: counted,
        }) => {
            prop_assert_eq!(counted, characters);
            return Ok(());
        }
        Err(other) => return Err(TestCaseError::fail(other.to_string())),
    };
    prop_assert_eq!(encoded.passage_characters, characters);
    let mut before = 0;
    for token in &encoded.passage {
        prop_assert!(
            token.start < token.end && token.end <= characters,
            "{:?} of {}",
            token,
            characters
        );
        prop_assert!(
            token.start >= before,
            "{:?} begins before {}",
            token,
            before
        );
        before = token.start;
        prop_assert_eq!(vocabulary.id(&token.text), Some(token.id));
        // What a token spells is there, but for case and marks; unknown words are only known to be there.
        let given = slice(text, token.start, token.end);
        let piece = token.text.strip_prefix("##").unwrap_or(&token.text);
        if text.is_ascii() && token.text != "[UNK]" && !text.contains("##") {
            let kept: String = given.chars().filter(|c| !c.is_ascii_control()).collect();
            prop_assert_eq!(kept.to_ascii_lowercase(), piece.to_ascii_lowercase());
        }
    }
    Ok(())
}

#[test]
fn tokens_slice_any_text() {
    let config = ProptestConfig {
        cases: 1024,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let vocabularies = [
        vocabulary(),
        letters(),
        real("{}"),
        real(r#"{"do_lower_case": false}"#),
    ];
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let tested = runner.run(&any_text(), |text| {
        vocabularies.iter().try_for_each(|v| slices(v, &text))
    });
    tested.unwrap_or_else(|error| panic!("{error}"));
}

// Windows.

/// All of them at once.
fn cut(
    encoded: &Encoded,
    vocabulary: &Vocabulary,
    max_tokens: usize,
    stride: usize,
) -> Result<Vec<Encoding>, EncodeError> {
    let windows = encoded.clone().windows(vocabulary, max_tokens, stride)?;
    assert_eq!(windows.iter().len(), windows.count());
    Ok(windows.iter().collect())
}

/// Tokens of two characters with a blank between them: token i stands at 3i.
fn made(question: usize, passage: usize) -> Encoded {
    let tokens = |count: usize, first: u32| {
        let token = |i: usize| EncodedToken {
            id: first + i as u32,
            text: format!("t{i}"),
            start: 3 * i,
            end: 3 * i + 2,
        };
        (0..count).map(token).collect::<Vec<_>>()
    };
    Encoded {
        question: tokens(question, 1000),
        passage: tokens(passage, 2000),
        passage_characters: 3 * passage,
    }
}

#[test]
fn windows_by_hand() {
    // Q = 2, N = 10, M = 9: C = 4. Every third: 0..4, 3..7, 6..10, and that is the end.
    let windows = cut(&made(2, 10), &vocabulary(), 9, 3).unwrap();
    assert_eq!(windows.len(), 3);
    assert_eq!(
        windows[0].ids,
        [2, 1000, 1001, 3, 2000, 2001, 2002, 2003, 3]
    );
    assert_eq!(
        windows[1].ids,
        [2, 1000, 1001, 3, 2003, 2004, 2005, 2006, 3]
    );
    assert_eq!(
        windows[2].ids,
        [2, 1000, 1001, 3, 2006, 2007, 2008, 2009, 3]
    );
    assert_eq!(windows[2].segments, [0, 0, 0, 0, 1, 1, 1, 1, 1]);
    assert_eq!(
        windows.iter().map(|w| w.passage_first).collect::<Vec<_>>(),
        [0, 3, 6]
    );
    assert!(windows.iter().all(|w| w.passage_start == 4));
    let bounds: Vec<_> = windows
        .iter()
        .map(|w| (w.window.start, w.window.end))
        .collect();
    // Token i ends at 3i + 2; the passage has 30 characters.
    assert_eq!(bounds, [(0, 11), (9, 20), (18, 30)]);
    assert_eq!(
        windows[1].window,
        Window {
            index: 1,
            count: 3,
            start: 9,
            end: 20
        }
    );
    let token = &windows[1].tokens[4];
    assert_eq!(
        (token.text.as_str(), token.id, token.start, token.end),
        ("t3", 2003, Some(9), Some(11))
    );
    let special: Vec<_> = windows[1]
        .tokens
        .iter()
        .filter(|t| t.part == Part::Special)
        .collect();
    assert_eq!(
        special.iter().map(|t| t.text.as_str()).collect::<Vec<_>>(),
        ["[CLS]", "[SEP]", "[SEP]"]
    );
    assert!(special.iter().all(|t| t.start.is_none() && t.end.is_none()));

    // Exactly full, one more, and a stride beyond the window: no token may fall between.
    assert_eq!(cut(&made(2, 4), &vocabulary(), 9, 3).unwrap().len(), 1);
    assert_eq!(cut(&made(2, 5), &vocabulary(), 9, 3).unwrap().len(), 2);
    let firsts = |stride| {
        let windows = cut(&made(2, 10), &vocabulary(), 9, stride).unwrap();
        windows.iter().map(|w| w.passage_first).collect::<Vec<_>>()
    };
    assert_eq!(firsts(100), [0, 4, 8]);
    assert_eq!(firsts(usize::MAX), [0, 4, 8]);
}

#[test]
fn blanks_around_the_passage_belong_to_its_windows() {
    let vocabulary = vocabulary();
    let encoded = vocabulary.encode("is", "\n the old\n ").unwrap();
    // [CLS] is [SEP] the old [SEP]: `the` is at position 3, characters 2 to 4 of 11.
    let window = &cut(&encoded, &vocabulary, 384, 128).unwrap()[0];
    assert_eq!((window.window.start, window.window.end), (0, 11));
    assert_eq!(find_span(window, 0, 5), Some((3, 3)));
    assert_eq!(find_span(window, 0, 11), Some((3, 4)));
    // Cut between the two tokens, each window has the blanks on its outer side.
    let windows = cut(&encoded, &vocabulary, 5, 1).unwrap();
    let bounds: Vec<_> = windows
        .iter()
        .map(|w| (w.window.start, w.window.end))
        .collect();
    assert_eq!(bounds, [(0, 5), (6, 11)]);
}

#[test]
fn the_model_limits_the_window() {
    // 512 positions: 508 tokens beside one of the question.
    let windows = cut(&made(1, 509), &vocabulary(), usize::MAX, 500).unwrap();
    assert_eq!(
        windows.iter().map(|w| w.ids.len()).collect::<Vec<_>>(),
        [512, 13]
    );
}

#[test]
fn no_room_for_the_passage() {
    let vocabulary = vocabulary();
    let full = made(6, 10);
    assert_eq!(cut(&full, &vocabulary, 10, 1).unwrap()[0].ids.len(), 10);
    for max_tokens in [9, 3, 0] {
        let error = cut(&full, &vocabulary, max_tokens, 1).unwrap_err();
        assert_eq!(
            error,
            EncodeError::NoRoom {
                question_tokens: 6,
                special_tokens: 3,
                max_tokens
            }
        );
        assert!(
            error.to_string().contains(&max_tokens.to_string()),
            "{error}"
        );
    }
    // The model's own limit is the one that is named.
    let error = cut(&made(600, 10), &vocabulary, 1000, 1).unwrap_err();
    assert_eq!(
        error,
        EncodeError::NoRoom {
            question_tokens: 600,
            special_tokens: 3,
            max_tokens: 512
        }
    );
}

#[test]
fn a_stride_of_zero() {
    assert_eq!(
        cut(&made(1, 1), &vocabulary(), 9, 0).unwrap_err(),
        EncodeError::ZeroStride
    );
}

#[test]
fn spans_by_characters() {
    let windows = cut(&made(2, 10), &vocabulary(), 9, 3).unwrap();
    // Window 1 has tokens 3 to 6 at positions 4 to 7: characters 9..11, 12..14, 15..17, 18..20.
    let span = |start, end| find_span(&windows[1], start, end);
    assert_eq!(span(9, 11), Some((4, 4)));
    assert_eq!(span(10, 13), Some((4, 5)));
    assert_eq!(span(9, 20), Some((4, 7)));
    assert_eq!(span(11, 15), Some((5, 5)), "blanks on both sides");
    assert_eq!(span(11, 12), None, "a blank");
    assert_eq!(span(10, 10), None, "nothing");
    assert_eq!(span(12, 11), None, "reversed");
    assert_eq!(span(8, 11), None, "begins before the window");
    assert_eq!(span(18, 21), None, "ends behind the window");
    // The question's tokens have the same characters and are not meant.
    assert_eq!(find_span(&windows[0], 0, 2), Some((4, 4)));
    assert_eq!(
        find_span(&windows[2], 27, 30),
        Some((7, 7)),
        "the last window ends with the passage"
    );
    assert_eq!(find_span(&windows[2], 27, 31), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn windows_cover_the_passage(question in 1usize..20, passage in 1usize..200, max in 0usize..64, stride in 1usize..80) {
        let vocabulary = Tiny::new().loaded().vocabulary;
        let encoded = made(question, passage);
        let windows = match cut(&encoded, &vocabulary, max, stride) {
            Ok(windows) => windows,
            Err(error) => {
                prop_assert!(question + 3 >= max, "{}", error);
                return Ok(());
            }
        };
        prop_assert!(question + 3 < max);
        let mut covered = 0;
        for (index, window) in windows.iter().enumerate() {
            let length = window.ids.len();
            prop_assert!(length <= max && window.segments.len() == length && window.tokens.len() == length);
            prop_assert_eq!((window.window.index, window.window.count), (index, windows.len()));
            prop_assert!(window.passage_first <= covered, "a gap");
            if index > 0 {
                let step = window.passage_first - windows[index - 1].passage_first;
                prop_assert_eq!(step, stride.min(max - question - 3));
                prop_assert!(covered < passage, "a window too many");
            }
            let held = &window.ids[window.passage_start..length - 1];
            let first = window.passage_first;
            prop_assert_eq!(held.to_vec(), ids(&encoded.passage[first..first + held.len()]));
            covered = first + held.len();
            for (position, token) in window.tokens.iter().enumerate() {
                prop_assert_eq!(token.id, window.ids[position]);
                prop_assert_eq!(window.segments[position], u32::from(position >= window.passage_start));
                if token.part == Part::Passage {
                    let (start, end) = (token.start.unwrap(), token.end.unwrap());
                    prop_assert!(window.window.start <= start && end <= window.window.end);
                    prop_assert_eq!(find_span(window, start, end), Some((position, position)));
                }
            }
        }
        prop_assert_eq!(covered, passage);
        prop_assert_eq!((windows[0].window.start, windows[windows.len() - 1].window.end), (0, 3 * passage));
    }
}
