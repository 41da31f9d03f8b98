//! The parts of a `tokenizer.json`, held against what the tokenizers library can bear before it reads them.
//!
//! That library trusts its file. It [panics](https://github.com/huggingface/tokenizers/blob/88a4498ad4ea1a9487b0a9b0ff881383fd5a06a3/tokenizers/src/models/bpe/model.rs)
//! at a merge whose result is longer than every token, at chunks of length 0 and at a normalizer that is not what its
//! `type` says, and at an added token of which nothing is left; a few replacements one behind the other turn a word into gigabytes; and a piece of some ten thousand
//! letters overflows the stack. Files of published models are far inside every limit here.

use serde_json::{Map, Value};
use tokenizers::{NormalizedString, Normalizer as _, Tokenizer};

use super::json::{Fields, describe};
use super::{Problem, precompiled};

/// Normalizers and word splitters; published files have up to ten.
const MOST_PARTS: usize = 64;
/// Sequences in sequences.
const MOST_DEPTH: usize = 4;
/// How many times as long a text may become on its way to the model. ALBERT's chain may reach 1452: the bounds of the
/// steps ([`growth`]) multiplied.
const MOST_GROWTH: f64 = 2048.0;
/// Bytes of all added tokens after the normalizer.
const MOST_ADDED: f64 = (16 << 20) as f64;
/// Bytes of all patterns together, and how many counted repetitions they hold: a compiled pattern takes some 10 kB for each
/// class of characters, and repeats it as often as it says.
const MOST_PATTERN: usize = 2000;
const MOST_REPEATS: usize = 8;
/// Bytes of a prefix, a suffix or a text that is put in front.
const MOST_PREFIX: usize = 64;
/// Bytes of a piece of a Unigram model, which is a path of a tree that the library goes down by recursion.
const MOST_PIECE: usize = 1000;
/// The library's time for a word grows with the square; BERT has 100.
const MOST_WORD: u64 = 1000;

/// What the parts take together.
struct Sum {
    parts: usize,
    growth: f64,
    pattern: usize,
    repeats: usize,
}

/// Looks at every part.
pub(super) fn check(fields: &Fields) -> Result<(), Problem> {
    let mut sum = Sum {
        parts: 0,
        growth: 1.0,
        pattern: 0,
        repeats: 0,
    };
    if let Some(normalizer) = fields.get(NORMALIZER) {
        sum.add(NORMALIZER, normalizer, 0)?;
    }
    let normalized = sum.growth;
    if let Some(splitter) = fields.get(SPLITTER) {
        sum.add(SPLITTER, splitter, 0)?;
    }
    added(fields, normalized)?;
    match fields.get("model") {
        Some(Value::Object(model)) => self::model(model),
        _ => Ok(()),
    }
}

const NORMALIZER: &str = "normalizer";
const SPLITTER: &str = "pre_tokenizer";

fn wrong(part: &str, expected: impl Into<String>, got: impl Into<String>) -> Problem {
    Problem::Part {
        part: part.to_owned(),
        expected: expected.into(),
        got: got.into(),
    }
}

/// That the field of a part is wrong.
fn wrong_field(part: &str, field: &str, expected: impl Into<String>, got: &Value) -> Problem {
    wrong(&format!("{part}: {field}"), expected, describe(got))
}

impl Sum {
    /// Adds a part, `role` being what it is one of.
    fn add(&mut self, role: &'static str, value: &Value, depth: usize) -> Result<(), Problem> {
        let of = |fields: &'_ Map<String, Value>| match fields.get("type") {
            Some(Value::String(kind)) => Some(kind.clone()),
            _ => None,
        };
        let fields = value.as_object();
        let (Some(fields), Some(kind)) = (fields, fields.and_then(of)) else {
            return Err(wrong(role, "an object with a `type`", describe(value)));
        };
        let part = format!("{role}: {}", describe(&Value::String(kind.clone())));
        self.parts += 1;
        if self.parts > MOST_PARTS || depth > MOST_DEPTH {
            let expected = format!("at most {MOST_PARTS} parts, {MOST_DEPTH} deep");
            return Err(wrong(role, expected, "more"));
        }
        if kind == "Sequence" {
            let list = if role == NORMALIZER {
                "normalizers"
            } else {
                "pretokenizers"
            };
            let parts = fields.get(list).unwrap_or(&Value::Null);
            let Value::Array(parts) = parts else {
                return Err(wrong_field(&part, list, "a list", parts));
            };
            return parts
                .iter()
                .try_for_each(|part| self.add(role, part, depth + 1));
        }
        self.growth *= match role {
            NORMALIZER => growth(&part, &kind, fields)?,
            _ => split_growth(&part, &kind, fields)?,
        };
        if self.growth > MOST_GROWTH {
            let expected = format!("parts that make a text at most {MOST_GROWTH} times as long");
            return Err(wrong(&part, expected, "more"));
        }
        if let Some(pattern) = fields
            .get("pattern")
            .and_then(|pattern| pattern.get("Regex"))
        {
            let pattern = pattern.as_str().unwrap_or_default();
            self.pattern += pattern.len();
            let class = |(at, _): &(usize, &str)| pattern[..*at].ends_with(['p', 'P']);
            let open = pattern.match_indices('{');
            self.repeats += open.filter(|found| !class(found)).count();
            if self.pattern > MOST_PATTERN || self.repeats > MOST_REPEATS {
                let expected = format!(
                    "patterns of at most {MOST_PATTERN} bytes with {MOST_REPEATS} counted repetitions, in all parts"
                );
                return Err(wrong(&part, expected, "more"));
            }
        }
        Ok(())
    }
}

/// How many times as long a text may become in a normalizer. Those of the normal forms are
/// [Unicode's](https://www.unicode.org/faq/normalization.html), in UTF-8.
fn growth(part: &str, kind: &str, fields: &Map<String, Value>) -> Result<f64, Problem> {
    let text = |field: &str| {
        let value = fields.get(field).unwrap_or(&Value::Null);
        value
            .as_str()
            .ok_or_else(|| wrong_field(part, field, "a text", value))
    };
    Ok(match kind {
        "BertNormalizer" => {
            // The library takes it for any other normalizer whose fields it has where these are not right.
            for field in ["clean_text", "handle_chinese_chars", "lowercase"] {
                let value = fields.get(field).unwrap_or(&Value::Null);
                if !value.is_boolean() {
                    return Err(wrong_field(part, field, "true or false", value));
                }
            }
            let accents = fields.get("strip_accents").unwrap_or(&Value::Null);
            if !accents.is_boolean() && !accents.is_null() {
                return Err(wrong_field(
                    part,
                    "strip_accents",
                    "true, false or null",
                    accents,
                ));
            }
            // Two blanks around a character of three bytes.
            2.0
        }
        "Strip" | "StripAccents" | "Nmt" => 1.0,
        // `İ`.
        "Lowercase" => 1.5,
        "NFC" | "NFD" => 3.0,
        "NFKC" | "NFKD" => 11.0,
        // A byte becomes a character below U+0800.
        "ByteLevel" => 2.0,
        "Prepend" => {
            short(part, "prepend", fields)?;
            1.0
        }
        "Precompiled" => precompiled::check(fields)?,
        "Replace" => {
            let content = text("content")?.len() as f64;
            let pattern = fields.get("pattern").unwrap_or(&Value::Null);
            match (pattern.get("String"), pattern.get("Regex")) {
                (Some(Value::String(found)), None) if !found.is_empty() => {
                    (content / found.len() as f64).max(1.0)
                }
                // It may match nothing at all, before each letter.
                (Some(Value::String(_)), None) | (None, Some(Value::String(_))) => 1.0 + content,
                _ => {
                    let expected = "an object with a text `String` or `Regex`";
                    return Err(wrong_field(part, "pattern", expected, pattern));
                }
            }
        }
        _ => {
            return Err(wrong(
                part,
                "a normalizer of the tokenizers library",
                "another",
            ));
        }
    })
}

/// How many times as long a text may become in a word splitter.
fn split_growth(part: &str, kind: &str, fields: &Map<String, Value>) -> Result<f64, Problem> {
    Ok(match kind {
        "BertPreTokenizer" | "Whitespace" | "WhitespaceSplit" | "Punctuation" | "Digits"
        | "UnicodeScripts" | "Split" => 1.0,
        "CharDelimiterSplit" => {
            let value = fields.get("delimiter").unwrap_or(&Value::Null);
            if value.as_str().is_none_or(|text| text.chars().count() != 1) {
                return Err(wrong_field(part, "delimiter", "one character", value));
            }
            1.0
        }
        "FixedLength" => {
            let value = fields.get("length").unwrap_or(&Value::Null);
            if !value.is_null() && value.as_u64().is_none_or(|length| length == 0) {
                return Err(wrong_field(part, "length", "a whole number from 1", value));
            }
            1.0
        }
        // The mark in front of a word of one letter: ▁a, Ġa.
        "Metaspace" => 4.0,
        "ByteLevel" => 4.0,
        _ => {
            return Err(wrong(
                part,
                "a word splitter of the tokenizers library",
                "another",
            ));
        }
    })
}

/// A text of at most [`MOST_PREFIX`] bytes, or none.
fn short(part: &str, field: &str, fields: &Map<String, Value>) -> Result<(), Problem> {
    match fields.get(field) {
        Some(value @ Value::String(text)) if text.len() > MOST_PREFIX => {
            let expected = format!("at most {MOST_PREFIX} bytes");
            Err(wrong_field(part, field, expected, value))
        }
        _ => Ok(()),
    }
}

/// Added tokens pass the normalizer as they are read.
fn added(fields: &Fields, growth: f64) -> Result<(), Problem> {
    const FIELD: &str = "added_tokens";
    let tokens = fields.get(FIELD).and_then(Value::as_array);
    let lengths = tokens.into_iter().flatten().map(|token| {
        let text = token.get("content").and_then(Value::as_str);
        text.map_or(0, str::len)
    });
    let bytes = lengths.sum::<usize>() as f64 * growth;
    if bytes > MOST_ADDED {
        let expected = format!("at most {MOST_ADDED} bytes, after the normalizer");
        return Err(wrong(FIELD, expected, format!("up to {bytes:.0}")));
    }
    Ok(())
}

/// That the normalizer leaves something of each added token: nothing would be found between the bytes of every character, and
/// the library panics there.
pub(super) fn kept(tokenizer: &Tokenizer) -> Result<(), Problem> {
    let Some(normalizer) = tokenizer.get_normalizer() else {
        return Ok(());
    };
    let tokens = tokenizer.get_added_tokens_decoder();
    let lost = tokens.iter().filter(|(_, token)| {
        let mut text = NormalizedString::from(token.content.as_str());
        let done = normalizer.normalize(&mut text);
        token.normalized && (done.is_err() || text.is_empty())
    });
    match lost.min_by_key(|&(&id, _)| id) {
        Some((_, token)) => {
            let expected = "tokens of which the normalizer leaves something";
            let got = describe(&Value::String(token.content.clone()));
            Err(wrong("added_tokens", expected, got))
        }
        None => Ok(()),
    }
}

fn model(model: &Map<String, Value>) -> Result<(), Problem> {
    const MODEL: &str = "model";
    const PREFIX: &str = "continuing_subword_prefix";
    for field in [PREFIX, "end_of_word_suffix"] {
        short(MODEL, field, model)?;
    }
    if let Some(most) = model.get("max_input_chars_per_word")
        && most.as_u64().is_some_and(|most| most > MOST_WORD)
    {
        let expected = format!("at most {MOST_WORD}");
        return Err(wrong_field(
            MODEL,
            "max_input_chars_per_word",
            expected,
            most,
        ));
    }
    if let Some(dropout) = model.get("dropout")
        && dropout.as_f64().is_some_and(|dropout| dropout != 0.0)
    {
        let expected = "none: it splits the same text in another way each time";
        return Err(wrong_field(MODEL, "dropout", expected, dropout));
    }
    match model.get("vocab") {
        Some(Value::Array(pieces)) => {
            let texts = pieces.iter().filter_map(|piece| piece.get(0)?.as_str());
            let longest = texts.map(str::len).max().unwrap_or(0);
            if longest > MOST_PIECE {
                let expected = format!("pieces of at most {MOST_PIECE} bytes");
                return Err(wrong(MODEL, expected, format!("one of {longest}")));
            }
        }
        Some(Value::Object(words)) => {
            let merges = model.get("merges").and_then(Value::as_array);
            let pairs = merges.into_iter().flatten().filter_map(|pair| {
                let two = |first: &Value, second: &Value| {
                    Some((first.as_str()?.to_owned(), second.as_str()?.to_owned()))
                };
                match pair {
                    Value::String(pair) => {
                        let (first, second) = pair.split_once(' ')?;
                        Some((first.to_owned(), second.to_owned()))
                    }
                    _ => two(pair.get(0)?, pair.get(1)?),
                }
            });
            let prefix = model.get(PREFIX).and_then(Value::as_str);
            let has = |token: &str| words.contains_key(token);
            if let Err(reason) = joined(pairs, prefix.unwrap_or_default(), has) {
                return Err(wrong("model: merges", reason.expected, reason.got));
            }
        }
        _ => {}
    }
    Ok(())
}

/// What is wrong with a merge.
pub(super) struct Unjoined {
    pub(super) expected: String,
    pub(super) got: String,
}

/// That what merges join, and what they make of it, are tokens. The second part is joined without its prefix.
pub(super) fn joined(
    pairs: impl IntoIterator<Item = (String, String)>,
    prefix: &str,
    has: impl Fn(&str) -> bool,
) -> Result<(), Unjoined> {
    let mut whole = String::new();
    for (at, (first, second)) in pairs.into_iter().enumerate() {
        let fail = |expected: &str| {
            let got = describe(&Value::String(format!("{first} {second}")));
            Unjoined {
                expected: expected.to_owned(),
                got: format!("{got} as merge {}", at + 1),
            }
        };
        let Some(rest) = second.strip_prefix(prefix) else {
            return Err(fail("a second part with the model's prefix"));
        };
        whole.clear();
        whole.push_str(&first);
        whole.push_str(rest);
        if !(has(&first) && has(&second) && has(&whole)) {
            return Err(fail(
                "two tokens that are joined to a third one of the vocabulary",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(file: &Value) -> Option<String> {
        let mut problems = Vec::new();
        let bytes = file.to_string();
        let fields = Fields::parse("tokenizer.json", bytes.as_bytes(), &mut problems);
        let fields = fields.expect("an object");
        check(&fields).err().map(|problem| problem.to_string())
    }

    #[track_caller]
    fn refused(file: &Value, part: &str) {
        let said = said(file).expect("a problem");
        assert!(said.contains(part), "expected `{part}` in: {said}");
    }

    fn normalizers(parts: &[Value]) -> Value {
        json!({ "normalizer": { "type": "Sequence", "normalizers": parts } })
    }

    fn replace(pattern: &Value, content: &str) -> Value {
        json!({ "type": "Replace", "pattern": pattern, "content": content })
    }

    #[test]
    fn chains_of_published_models_pass() {
        let lengths = [
            replace(&json!({ "String": "``" }), "\""),
            json!({ "type": "NFKD" }),
            json!({ "type": "StripAccents" }),
            json!({ "type": "Lowercase" }),
            replace(&json!({ "Regex": " {2,}" }), " "),
        ];
        assert_eq!(said(&normalizers(&lengths)), None);
        let splitters = json!({ "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            { "type": "WhitespaceSplit" }, { "type": "Metaspace", "replacement": "▁" }] } });
        assert_eq!(said(&splitters), None);
        let bare = json!({ "model": { "unk_token": "[UNK]", "vocab": { "a": 0 }, "max_input_chars_per_word": 100 } });
        assert_eq!(said(&bare), None);
    }

    #[test]
    fn texts_cannot_grow_without_end() {
        let double = replace(&json!({ "String": "a" }), "aa");
        assert_eq!(said(&normalizers(&vec![double.clone(); 11])), None);
        refused(
            &normalizers(&vec![double; 12]),
            "at most 2048 times as long",
        );
        let nothing = replace(&json!({ "String": "" }), &"b".repeat(3000));
        refused(&normalizers(&[nothing]), "at most 2048 times as long");
        let bytes = json!({ "type": "ByteLevel", "add_prefix_space": true });
        let bytes =
            json!({ "pre_tokenizer": { "type": "Sequence", "pretokenizers": vec![bytes; 6] } });
        refused(&bytes, "at most 2048 times as long");
        let content = "x".repeat(1 << 20);
        let mut file = normalizers(&[json!({ "type": "NFKC" }), json!({ "type": "NFC" })]);
        file["added_tokens"] = json!([{ "content": content }]);
        refused(&file, "added_tokens");
        refused(
            &json!({ "normalizer": { "type": "Prepend", "prepend": "p".repeat(65) } }),
            "`normalizer: `Prepend`: prepend`: expected at most 64 bytes",
        );
    }

    #[test]
    fn what_the_library_takes_for_something_else_is_refused() {
        let nested = json!({ "normalizer": { "type": { "Precompiled": null } } });
        refused(&nested, "an object with a `type`");
        let bert = json!({ "type": "BertNormalizer", "clean_text": 1, "pattern": { "String": "a" }, "content": "b" });
        refused(&json!({ "normalizer": bert }), "clean_text");
        let accents = json!({ "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                              "lowercase": true, "strip_accents": 1 });
        refused(&json!({ "normalizer": accents }), "strip_accents");
        refused(&json!({ "normalizer": { "type": "Shout" } }), "`Shout`");
        refused(
            &json!({ "normalizer": { "type": "Sequence" } }),
            "normalizers",
        );
        refused(&normalizers(&[replace(&json!("a"), "b")]), "pattern");
        refused(&json!({ "pre_tokenizer": { "type": "Shout" } }), "`Shout`");
        refused(
            &json!({ "pre_tokenizer": { "type": "CharDelimiterSplit", "delimiter": "" } }),
            "one character",
        );
    }

    #[test]
    fn sizes_are_limited() {
        refused(
            &json!({ "pre_tokenizer": { "type": "FixedLength", "length": 0 } }),
            "from 1, got 0",
        );
        let mut deep = json!({ "type": "NFC" });
        for _ in 0..5 {
            deep = json!({ "type": "Sequence", "normalizers": [deep] });
        }
        refused(&json!({ "normalizer": deep }), "4 deep");
        refused(
            &normalizers(&vec![json!({ "type": "Strip" }); 64]),
            "at most 64 parts",
        );
        let long = replace(&json!({ "Regex": "a".repeat(2001) }), "");
        refused(&normalizers(&[long]), "at most 2000 bytes");
        let repeats = replace(&json!({ "Regex": "a{9}".repeat(9) }), "");
        refused(&normalizers(&[repeats]), "8 counted");
        let classes = replace(&json!({ "Regex": "\\p{L}".repeat(20) }), "");
        assert_eq!(said(&normalizers(&[classes])), None);
        let model = |field: &str, value: Value| json!({ "model": { field: value } });
        refused(
            &model("max_input_chars_per_word", json!(1001)),
            "at most 1000, got 1001",
        );
        refused(
            &model("continuing_subword_prefix", json!("#".repeat(65))),
            "at most 64",
        );
        refused(
            &model("dropout", json!(0.1)),
            "in another way each time, got 0.1",
        );
        assert_eq!(said(&model("dropout", json!(0.0))), None);
        refused(
            &model("vocab", json!([["a".repeat(1001), 0]])),
            "one of 1001",
        );
    }

    #[test]
    fn merges_make_tokens() {
        let file = |prefix: &str, merges: Value| {
            json!({ "model": { "vocab": { "a": 0, "b": 1, "ab": 2, "##b": 3 },
                               "continuing_subword_prefix": prefix, "merges": merges } })
        };
        assert_eq!(said(&file("", json!(["a b"]))), None);
        assert_eq!(said(&file("##", json!([["a", "##b"]]))), None);
        refused(&file("", json!(["a ab"])), "got `a ab` as merge 1");
        refused(&file("", json!([["a", "b"], ["ab", "ab"]])), "merge 2");
        refused(&file("##", json!([["a", "b"]])), "with the model's prefix");
    }
}
