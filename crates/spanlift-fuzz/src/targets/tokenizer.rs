//! The files of a tokenizer; whatever loads splits a text, whose tokens must be slices of it.

use rand::seq::IndexedRandom as _;
use rand::{Rng, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use spanlift::checkpoint::{Checkpoint, CheckpointError, Source, load};

use super::files::{ANGLES, BRACKETS, Folder, ROWS, TOKENIZER, config, embedded, oracle, weights};
use crate::mutate::Shape;
use crate::run::{Bound, Outcome, Probe, Target};

/// A piece of a Unigram model costs the library a hash table of some 400 bytes for each of its bytes; everything else is
/// far less. The constant is the fixed files, and eight compiled patterns (the loader's limit) of 10 MiB (the pattern
/// library's).
const LOAD: Bound = Bound {
    factor: 600,
    constant: 128 << 20,
};

/// For each byte of file and text together: a text may grow 2048 times on its way (the loader's limit), and the library
/// keeps 16 bytes for each byte of it, and a token of some 80; the file's share, without which a text cannot grow, makes an
/// eighth of that enough. The constant is the library's caches.
const ENCODE: Bound = Bound {
    factor: 16 << 10,
    constant: 16 << 20,
};

const PARTS: &[&str] = &[
    r#"{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Lowercase"}]}"#,
    r#"{"type":"Sequence","pretokenizers":[{"type":"Whitespace"},{"type":"Punctuation","behavior":"MergedWithNext"}]}"#,
    r#"{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":true,"lowercase":false}"#,
    r#"{"type":"Strip","strip_left":true,"strip_right":true}"#,
    r#"{"type":"StripAccents"}"#,
    r#"{"type":"NFC"}"#,
    r#"{"type":"NFD"}"#,
    r#"{"type":"NFKD"}"#,
    r#"{"type":"Nmt"}"#,
    r#"{"type":"Lowercase"}"#,
    r#"{"type":"Prepend","prepend":"▁"}"#,
    r#"{"type":"Replace","pattern":{"String":" "},"content":"▁"}"#,
    r#"{"type":"Replace","pattern":{"String":""},"content":"a"}"#,
    r#"{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "}"#,
    r#"{"type":"Replace","pattern":{"Regex":"(a|aa)+(?!b)"},"content":""}"#,
    r#"{"type":"Replace","pattern":{"Regex":".*"},"content":"aaaaaaaa"}"#,
    r#"{"type":"Precompiled","precompiled_charsmap":"BAAAAAAAAAA="}"#,
    r#"{"type":{"Precompiled":null}}"#,
    r#"{"type":"ByteLevel"}"#,
    r#"{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true}"#,
    r#"{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}"#,
    r#"{"type":"Metaspace","replacement":"▁","add_prefix_space":true,"str_rep":"▁"}"#,
    r#"{"type":"BertPreTokenizer"}"#,
    r#"{"type":"Whitespace"}"#,
    r#"{"type":"WhitespaceSplit"}"#,
    r#"{"type":"CharDelimiterSplit","delimiter":"e"}"#,
    r#"{"type":"Digits","individual_digits":true}"#,
    r#"{"type":"UnicodeScripts"}"#,
    r#"{"type":"FixedLength","length":3}"#,
    r#"{"type":"FixedLength","length":0}"#,
    r#"{"type":"Split","pattern":{"Regex":"\\s+(?!\\S)|\\S"},"behavior":"Isolated","invert":false}"#,
    r#"{"type":"Split","pattern":{"String":""},"behavior":"Removed","invert":true}"#,
    r#"{"type":"Split","pattern":{"Regex":"(?=a)"},"behavior":"Contiguous","invert":true}"#,
    r#"{"type":"WordLevel","unk_token":"[UNK]","vocab":{"[CLS]":0,"[SEP]":1,"[UNK]":2,"the":3}}"#,
    r#"{"type":"BPE","unk_token":"[UNK]","continuing_subword_prefix":"@@","end_of_word_suffix":"</w>","fuse_unk":true,"byte_fallback":true,"vocab":{"[CLS]":0,"[SEP]":1,"[UNK]":2,"t":3,"@@h":4,"th":5,"<0x41>":6},"merges":[["t","@@h"]]}"#,
    r#"{"type":"Unigram","unk_id":0,"byte_fallback":true,"vocab":[["[CLS]",0],["[SEP]",-1],["t",-2.5],["th",-1e300],["<0x41>",1e308]]}"#,
    r#"{"unk_token":"[UNK]","vocab":{"[CLS]":0,"[SEP]":1,"[UNK]":2,"a":3}}"#,
    r#"{"id":5,"content":"the","single_word":true,"lstrip":true,"rstrip":true,"normalized":true,"special":false}"#,
    r#"{"id":6,"content":"The","single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":true}"#,
    r#"{"id":7,"content":" ","single_word":false,"lstrip":true,"rstrip":true,"normalized":true,"special":false}"#,
    "\"continuing_subword_prefix\"",
    "\"max_input_chars_per_word\"",
    "\"dropout\"",
    "\"ignore_merges\"",
    "\"unk_id\"",
    "\"vocab\"",
    "\"merges\"",
    "\"type\"",
    "\"normalizer\"",
    "\"pre_tokenizer\"",
    "\"added_tokens\"",
    "[\"a\",-1.5]",
    "\"a b\"",
];

const LINES: &[&str] = &[
    "\n",
    "\r\n",
    "[CLS]\n",
    "[SEP]\n",
    "[UNK]",
    "##",
    "##s\n",
    "\u{0120}",
    "\u{0120} t\n",
    "a b\n",
    "\"a\":1,",
    "#version: 0.2\n",
    " ",
    "\u{fdfa}",
    "\u{200b}",
    "<s>",
    "</s>",
];

const SETTINGS: &[&str] = &[
    "\"cls_token\"",
    "\"sep_token\"",
    "\"unk_token\"",
    "{\"content\":\"[CLS]\"}",
    "\"the\"",
    "\"do_lower_case\"",
    "\"strip_accents\"",
    "\"tokenize_chinese_chars\"",
    "\"add_prefix_space\"",
    "\"do_basic_tokenize\"",
    "\"tokenizer_class\"",
    "\"BertTokenizer\"",
    "\"BertJapaneseTokenizer\"",
    "\"added_tokens_decoder\"",
];

pub(super) fn targets() -> Vec<Target> {
    let bert = config("bert").into_bytes();
    let roberta = config("roberta").into_bytes();
    let (bert_weights, roberta_weights) = (weights("bert", ROWS), weights("roberta", ROWS));

    let kinds = [
        ("tokenizer.json-wordpiece", 300_000, "mobilebert", BRACKETS),
        ("tokenizer.json-bytes", 300_000, "roberta", ANGLES),
        ("tokenizer.json-unigram", 200_000, "xlm-roberta", ANGLES),
        ("tokenizer.json-deberta", 200_000, "deberta-v2", BRACKETS),
    ];
    let mut targets: Vec<Target> = kinds
        .into_iter()
        .map(|(name, inputs, folder, special)| {
            let whole = oracle(folder, "tokenizer.json");
            let small = small(folder);
            let (config, weights) = (bert.clone(), bert_weights.clone());
            Target {
                name,
                inputs,
                shape: Shape::Json,
                seeds: vec![small.clone(), small.clone(), small, whole],
                words: PARTS,
                run: Box::new(move |input, probe| {
                    let special = Some(special.as_bytes());
                    let loaded = probe.step("load", input.len(), LOAD, || {
                        embedded(&config, &weights, input, special)
                    });
                    used(loaded, input, probe)
                }),
            }
        })
        .collect();

    let vocab = oracle("mobilebert", "vocab.txt");
    let small: Vec<u8> = vocab
        .split_inclusive(|&byte| byte == b'\n')
        .take(24)
        .flatten()
        .copied()
        .collect();
    let settings = BRACKETS.as_bytes().to_vec();
    let bert_files = || {
        vec![
            ("config.json", bert.clone()),
            ("model.safetensors", bert_weights.clone()),
        ]
    };
    let with = |mut files: Vec<_>, name, bytes: &[u8]| {
        files.push((name, bytes.to_vec()));
        files
    };
    targets.push(folder(
        "vocab.txt",
        300_000,
        Shape::Lines,
        vec![small.clone(), vocab],
        LINES,
        Folder::new(
            "vocab.txt",
            with(bert_files(), "tokenizer_config.json", &settings),
        ),
    ));
    let wide = oracle("mobilebert", "tokenizer_config.json");
    targets.push(folder(
        "tokenizer_config.json",
        300_000,
        Shape::Json,
        vec![settings, wide, b"{}".to_vec()],
        SETTINGS,
        Folder::new(
            "tokenizer_config.json",
            with(bert_files(), "vocab.txt", &small),
        ),
    ));

    let vocab = r#"{"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"t":4,"h":5,"e":6,"Ġ":7,"a":8,"th":9,"Ġthe":10,"the":11,"<mask>":12}"#;
    let merges = "#version: 0.2\nt h\nth e\nĠ the\n";
    let roberta_files = || {
        vec![
            ("config.json", roberta.clone()),
            ("model.safetensors", roberta_weights.clone()),
            ("tokenizer_config.json", ANGLES.as_bytes().to_vec()),
        ]
    };
    targets.push(folder(
        "vocab.json",
        250_000,
        Shape::Json,
        vec![vocab.into()],
        LINES,
        Folder::new(
            "vocab.json",
            with(roberta_files(), "merges.txt", merges.as_bytes()),
        ),
    ));
    targets.push(folder(
        "merges.txt",
        250_000,
        Shape::Lines,
        vec![merges.into()],
        LINES,
        Folder::new(
            "merges.txt",
            with(roberta_files(), "vocab.json", vocab.as_bytes()),
        ),
    ));
    targets
}

/// The tokenizer of an oracle folder with the first of its tokens, so that a change hits what matters.
fn small(folder: &str) -> Vec<u8> {
    const TOKENS: usize = 40;
    let Ok(mut json) =
        serde_json::from_slice::<serde_json::Value>(&oracle(folder, "tokenizer.json"))
    else {
        return TOKENIZER.into();
    };
    for unused in ["post_processor", "decoder", "truncation", "padding"] {
        json[unused] = serde_json::Value::Null;
    }
    let model = &mut json["model"];
    match &mut model["vocab"] {
        serde_json::Value::Object(vocab) => {
            vocab.retain(|_, id| id.as_u64().is_some_and(|id| id < TOKENS as u64));
        }
        serde_json::Value::Array(vocab) => vocab.truncate(TOKENS),
        _ => {}
    }
    if let Some(merges) = model["merges"].as_array_mut() {
        merges.clear();
    }
    if let Some(tokens) = json["added_tokens"].as_array_mut() {
        tokens.truncate(4);
    }
    json.to_string().into_bytes()
}

fn folder(
    name: &'static str,
    inputs: u64,
    shape: Shape,
    seeds: Vec<Vec<u8>>,
    words: &'static [&'static str],
    folder: Folder,
) -> Target {
    Target {
        name,
        inputs,
        shape,
        seeds,
        words,
        run: Box::new(move |input, probe| {
            let loaded = folder.with(input, |path| {
                probe.step("load", input.len(), LOAD, || {
                    load::<f32>(Source::Folder(path))
                })
            });
            used(loaded, input, probe)
        }),
    }
}

/// Splits a text that depends on the input alone.
fn used(
    loaded: Result<Checkpoint<f32>, CheckpointError>,
    input: &[u8],
    probe: &mut Probe,
) -> Outcome {
    let vocabulary = match loaded {
        Ok(checkpoint) => checkpoint.vocabulary,
        Err(error) => {
            drop(error.to_string());
            return Outcome::Refused;
        }
    };
    let seed = input.iter().fold(7_u64, |seed, &byte| {
        (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let (question, passage) = (text(rng, 8), text(rng, 40));
    let length = input.len() + question.len() + passage.len();
    let encoded = probe.step("encode", length, ENCODE, || {
        vocabulary.encode(&question, &passage)
    });
    let Ok(encoded) = encoded else {
        return Outcome::Read;
    };
    for (tokens, text) in [(&encoded.question, &question), (&encoded.passage, &passage)] {
        let characters = text.chars().count();
        for token in tokens {
            if token.start >= token.end || token.end > characters || token.id as usize >= ROWS {
                return Outcome::Wrong(format!(
                    "a token of a text of {characters} characters and {ROWS} rows: {token:?}"
                ));
            }
        }
    }
    let windows = probe.step("windows", length, ENCODE, || {
        encoded.windows(&vocabulary, 48, 16)
    });
    if let Ok(windows) = windows
        && let Some(window) = windows.iter().find(|window| window.ids.len() > 48)
    {
        return Outcome::Wrong(format!("a window of {} tokens, not 48", window.ids.len()));
    }
    Outcome::Read
}

/// Words, scripts and oddities; seldom very long.
fn text(rng: &mut impl Rng, most: usize) -> String {
    const PIECES: &[&str] = &[
        "the",
        "bridge",
        "Who",
        "?",
        ".",
        " ",
        "  ",
        "\n",
        "\t",
        "\u{a0}",
        "a",
        "aa",
        "aaaa",
        "é",
        "e\u{301}",
        "İ",
        "ß",
        "ﬁ",
        "\u{fdfa}",
        "東京",
        "漢",
        "ไทย",
        "हिन्दी",
        "العربية",
        "שלום",
        "🦀",
        "👩‍👩‍👧",
        "🇩🇪",
        "\u{200d}",
        "\u{200b}",
        "\u{feff}",
        "\u{202e}",
        "\u{0}",
        "\u{7f}",
        "\u{fffd}",
        "\u{e000}",
        "\u{10ffff}",
        "[MASK]",
        "[SEP]",
        "</s>",
        "<mask>",
        "<0x41>",
        "##s",
        "▁",
        "Ġ",
        "1",
        "12345",
        "'s",
        "don't",
        "``",
        "''",
        "\u{1100}\u{1161}\u{11a8}",
        "\u{300}\u{301}\u{302}\u{303}",
    ];
    let count = rng.random_range(0..most);
    let mut text = String::new();
    for _ in 0..count {
        let piece = PIECES.choose(rng).copied().unwrap_or("a");
        let times = if rng.random_ratio(1, 60) {
            1 << rng.random_range(0..9)
        } else {
            1
        };
        text.push_str(&piece.repeat(times));
        if rng.random_bool(0.4) {
            text.push(' ');
        }
    }
    text
}
