//! The tokenizer: `tokenizer.json`, or `vocab.txt` with what `tokenizer_config.json` says about it, or `vocab.json` with
//! `merges.txt`.
//!
//! Names, defaults and what overrules what are those of
//! [`BertTokenizerFast`](https://github.com/huggingface/transformers/blob/096f9d3ec3c8ef8991d9c983387d40cc3196e7ca/src/transformers/models/bert/tokenization_bert_fast.py).

use serde_json::Value;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::{BertNormalizer, NormalizerWrapper};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

use super::config::Sizes;
use super::family::{Splitter, TextNames};
use super::files::{Files, MERGES, TOKENIZER, TOKENIZER_CONFIG, VOCAB, VOCAB_JSON, told};
use super::json::{Fields, not_json, utf8};
use super::{Problem, parts};
use crate::encode::{SpecialTokens, Template, Vocabulary};

/// What the files of text hold.
pub(super) struct Text {
    /// The tokenizer's.
    file: &'static str,
    tokenizer: Tokenizer,
    special: SpecialTokens,
    /// How many tokens there are.
    tokens: usize,
    /// The largest id, and its token.
    largest: Option<(u32, String)>,
}

/// Reads them.
pub(super) fn read(
    files: &Files<'_>,
    sizes: &Sizes,
    problems: &mut Vec<Problem>,
    notes: &mut Vec<String>,
) -> Option<Text> {
    let names = &sizes.names.text;
    let config = files.tokenizer_config.as_deref();
    let settings = config.map(|bytes| Settings::read(bytes, names, problems));
    let own = || {
        settings
            .clone()
            .flatten()
            .unwrap_or_else(|| Settings::of(names))
    };
    let (file, tokenizer) = match (&files.tokenizer, names.splitter) {
        (Some(bytes), _) => (TOKENIZER, whole(bytes, &own(), problems, notes)?),
        (None, Splitter::WordPiece) => {
            let (Some(bytes), Some(settings)) = (&files.vocab, &settings) else {
                missing([VOCAB, TOKENIZER_CONFIG], files, problems);
                return None;
            };
            (
                VOCAB,
                from_words(bytes, settings.as_ref()?, problems, notes)?,
            )
        }
        (None, Splitter::ByteLevel) => {
            let (Some(vocab), Some(merges)) = (&files.vocab_json, &files.merges) else {
                missing([VOCAB_JSON, MERGES], files, problems);
                return None;
            };
            (VOCAB_JSON, from_merges(vocab, merges, &own(), problems)?)
        }
        (None, Splitter::SentencePiece) => {
            if !told(problems, TOKENIZER) {
                problems.push(Problem::NoTokenizer);
            }
            return None;
        }
    };
    let vocabulary = tokenizer.get_vocab(true);
    Some(Text {
        file,
        tokenizer,
        special: own().special,
        tokens: vocabulary.len(),
        // By name where two have the same id, so that a message is always the same.
        largest: vocabulary.into_iter().map(|(token, id)| (id, token)).max(),
    })
}

impl Text {
    /// Makes the vocabulary and holds it against the embedding table of `rows` rows: every id needs one; rows without an id are
    /// common (tables are padded to a round size) and harmless.
    pub(super) fn vocabulary(
        self,
        rows: Option<usize>,
        sizes: &Sizes,
        problems: &mut Vec<Problem>,
        notes: &mut Vec<String>,
    ) -> Option<Vocabulary> {
        let Self {
            file,
            tokenizer,
            special,
            tokens,
            largest,
        } = self;
        if let Some(rows) = rows {
            if let Some((id, token)) = largest.filter(|&(id, _)| id as usize >= rows) {
                problems.push(Problem::VocabularyTooLarge {
                    file,
                    id,
                    token,
                    rows,
                });
            } else if tokens < rows {
                notes.push(format!(
                    "{file}: {tokens} tokens for {rows} rows of `word_embeddings`: some rows are never used"
                ));
            }
        }
        let names = &sizes.names.text;
        let template = Template {
            separators: names.separators,
            passage_segment: names.passage_segment,
            pad_moves_positions: sizes.names.config.positions_behind_padding,
        };
        let positions = sizes.positions().unwrap_or(0);
        match Vocabulary::new(tokenizer, &special, template, positions) {
            Ok(vocabulary) => Some(vocabulary),
            Err(missing) => {
                let problem = |(role, name)| Problem::SpecialToken { file, role, name };
                problems.extend(missing.into_iter().map(problem));
                None
            }
        }
    }
}

/// That neither `tokenizer.json` nor both files in its place are there; nothing where one of them was refused.
fn missing(substitute: [&'static str; 2], files: &Files<'_>, problems: &mut Vec<Problem>) {
    let found = substitute.map(|file| match file {
        VOCAB => files.vocab.is_some(),
        VOCAB_JSON => files.vocab_json.is_some(),
        MERGES => files.merges.is_some(),
        _ => files.tokenizer_config.is_some(),
    });
    if ![TOKENIZER]
        .iter()
        .chain(&substitute)
        .any(|file| told(problems, file))
    {
        problems.push(Problem::MissingTokenizer { substitute, found });
    }
}

/// What `tokenizer_config.json` says.
#[derive(Clone)]
struct Settings {
    lowercase: Option<bool>,
    strip_accents: Option<bool>,
    chinese: Option<bool>,
    prefix_space: Option<bool>,
    /// DeBERTa's: words end at punctuation.
    split_by_punct: bool,
    /// The class and its word splitter, where they are not BERT's.
    foreign: Option<Problem>,
    special: SpecialTokens,
}

impl Settings {
    /// The family's own.
    fn of(names: &TextNames) -> Self {
        let [cls, sep, pad, unk, mask] = names.special.map(String::from);
        Self {
            lowercase: None,
            strip_accents: None,
            chinese: None,
            prefix_space: None,
            split_by_punct: false,
            foreign: None,
            special: SpecialTokens {
                cls,
                sep,
                pad,
                unk,
                mask,
            },
        }
    }

    /// `None` where there is a problem.
    fn read(bytes: &[u8], names: &TextNames, problems: &mut Vec<Problem>) -> Option<Self> {
        let before = problems.len();
        let fields = Fields::parse(TOKENIZER_CONFIG, bytes, problems)?;
        let mut settings = Self {
            lowercase: fields.flag("do_lower_case", problems),
            strip_accents: fields.flag("strip_accents", problems),
            chinese: fields.flag("tokenize_chinese_chars", problems),
            prefix_space: fields.flag("add_prefix_space", problems),
            split_by_punct: fields.flag("split_by_punct", problems) == Some(true),
            foreign: foreign(&fields, names, problems),
            ..Self::of(names)
        };
        let special = &mut settings.special;
        for (role, name) in [
            ("cls_token", &mut special.cls),
            ("sep_token", &mut special.sep),
            ("pad_token", &mut special.pad),
            ("unk_token", &mut special.unk),
            ("mask_token", &mut special.mask),
        ] {
            let Some(value) = fields.get(role) else {
                continue;
            };
            let content = value.get("content").unwrap_or(value);
            match content.as_str().filter(|text| !text.is_empty()) {
                Some(text) => text.clone_into(name),
                None => problems.push(fields.wrong(role, "a text, or an object with `content`")),
            }
        }
        (problems.len() == before).then_some(settings)
    }
}

/// Why words would be split in another way than the family's.
fn foreign(fields: &Fields, names: &TextNames, problems: &mut Vec<Problem>) -> Option<Problem> {
    const CLASS: &str = "tokenizer_class";
    const BASIC: &str = "do_basic_tokenize";
    let class = fields.get(CLASS);
    let known = |class: &Value| {
        class
            .as_str()
            .is_some_and(|class| names.classes.contains(&class))
    };
    if class.is_some_and(|class| !known(class)) {
        let known: Vec<_> = names
            .classes
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        return Some(fields.wrong(CLASS, known.join(" or ")));
    }
    if fields.flag(BASIC, problems) == Some(false) {
        return Some(fields.wrong(BASIC, "true"));
    }
    None
}

/// `tokenizer.json`.
fn whole(
    bytes: &[u8],
    settings: &Settings,
    problems: &mut Vec<Problem>,
    notes: &mut Vec<String>,
) -> Option<Tokenizer> {
    let mut fields = Fields::parse(TOKENIZER, bytes, problems)?;
    let splits = |splitter: &Value| splitter.to_string().contains("\"Punctuation\"");
    if settings.split_by_punct && !fields.get("pre_tokenizer").is_some_and(splits) {
        problems.push(Problem::Field {
            file: TOKENIZER_CONFIG,
            field: "split_by_punct",
            expected: format!("false, as {TOKENIZER} does not split there"),
            got: String::from("true"),
        });
        return None;
    }
    // Windows are made here, and nothing is put around or back together: parts that are not used are not read either.
    for unused in ["truncation", "padding", "post_processor", "decoder"] {
        fields.remove(unused);
    }
    if let Err(problem) = parts::check(&fields) {
        problems.push(problem);
        return None;
    }
    let mut fail = |reason: String| {
        let file = TOKENIZER;
        problems.push(Problem::Tokenizer { file, reason });
    };
    let mut tokenizer: Tokenizer = match serde_json::from_value(fields.into()) {
        Ok(tokenizer) => tokenizer,
        Err(error) => {
            fail(error.to_string());
            return None;
        }
    };
    if let (Some(PreTokenizerWrapper::ByteLevel(old)), Some(prefix_space)) =
        (tokenizer.get_pre_tokenizer(), settings.prefix_space)
        && old.add_prefix_space != prefix_space
    {
        let new = old.add_prefix_space(prefix_space);
        tokenizer.with_pre_tokenizer(Some(new));
        notes.push(format!(
            "{TOKENIZER_CONFIG}: overrules {TOKENIZER} in add_prefix_space"
        ));
    }
    // What the config says of the normalizer counts, as it does in `BertTokenizerFast.__init__`.
    if let Some(NormalizerWrapper::BertNormalizer(old)) = tokenizer.get_normalizer() {
        let (old, mut new) = (*old, *old);
        let mut overruled = Vec::new();
        let mut overrule = |name: &str, from: Option<bool>, to: Option<bool>| {
            if to.is_some() && to != from {
                overruled.push(name.to_owned());
            }
        };
        overrule("do_lower_case", Some(old.lowercase), settings.lowercase);
        overrule("strip_accents", old.strip_accents, settings.strip_accents);
        overrule(
            "tokenize_chinese_chars",
            Some(old.handle_chinese_chars),
            settings.chinese,
        );
        new.lowercase = settings.lowercase.unwrap_or(old.lowercase);
        new.strip_accents = settings.strip_accents.or(old.strip_accents);
        new.handle_chinese_chars = settings.chinese.unwrap_or(old.handle_chinese_chars);
        if !overruled.is_empty() {
            if let Err(error) = tokenizer.with_normalizer(Some(new)) {
                fail(error.to_string());
                return None;
            }
            notes.push(format!(
                "{TOKENIZER_CONFIG}: overrules {TOKENIZER} in {}",
                overruled.join(", ")
            ));
        }
    }
    if let Err(problem) = parts::kept(&tokenizer) {
        problems.push(problem);
        return None;
    }
    Some(tokenizer)
}

/// `vocab.txt`: one token a line, its id the number of the line from 0.
fn from_words(
    bytes: &[u8],
    settings: &Settings,
    problems: &mut Vec<Problem>,
    notes: &mut Vec<String>,
) -> Option<Tokenizer> {
    if let Some(problem) = &settings.foreign {
        problems.push(problem.clone());
        return None;
    }
    let text = utf8(VOCAB, bytes, problems)?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let lines = text.split('\n');
    let lines = lines.map(|line| line.strip_suffix('\r').unwrap_or(line));
    let mut vocabulary = Vocab::default();
    let mut repeated = 0;
    for (id, token) in (0..).zip(lines) {
        repeated += usize::from(vocabulary.insert(token.to_owned(), id).is_some());
    }
    if repeated > 0 {
        notes.push(format!(
            "{VOCAB}: {repeated} lines repeat an earlier token; the last one counts"
        ));
    }
    let known = special_tokens(&vocabulary, &settings.special);
    let made = WordPiece::builder()
        .vocab(vocabulary)
        .unk_token(settings.special.unk.clone())
        .build()
        .and_then(|model| {
            let mut tokenizer = Tokenizer::new(model);
            tokenizer.with_normalizer(Some(BertNormalizer::new(
                true,
                settings.chinese.unwrap_or(true),
                settings.strip_accents,
                settings.lowercase.unwrap_or(true),
            )))?;
            tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
            tokenizer.add_special_tokens(known)?;
            Ok(tokenizer)
        });
    made_of(VOCAB, made, problems)
}

/// `vocab.json`, tokens with their ids, and `merges.txt`, two tokens a line in the order in which they are joined.
fn from_merges(
    vocab: &[u8],
    merges: &[u8],
    settings: &Settings,
    problems: &mut Vec<Problem>,
) -> Option<Tokenizer> {
    if let Some(problem) = &settings.foreign {
        problems.push(problem.clone());
        return None;
    }
    let vocabulary: Vocab = match serde_json::from_str(utf8(VOCAB_JSON, vocab, problems)?) {
        Ok(vocabulary) => vocabulary,
        Err(error) => {
            problems.push(not_json(VOCAB_JSON, &error));
            return None;
        }
    };
    let text = utf8(MERGES, merges, problems)?;
    let lines = text.lines().enumerate();
    // The first line of the library's own files is `#version: 0.2`.
    let lines =
        lines.filter(|(at, line)| !(line.is_empty() || *at == 0 && line.starts_with("#version")));
    let mut pairs = Vec::new();
    for (at, line) in lines {
        let Some((first, second)) = line.split_once(' ') else {
            problems.push(Problem::Tokenizer {
                file: MERGES,
                reason: format!(
                    "line {}: expected two tokens with a blank between, got {line:?}",
                    at + 1
                ),
            });
            return None;
        };
        pairs.push((first.to_owned(), second.to_owned()));
    }
    let has = |token: &str| vocabulary.contains_key(token);
    if let Err(wrong) = parts::joined(pairs.iter().cloned(), "", has) {
        let reason = format!("expected {}, got {}", wrong.expected, wrong.got);
        let file = MERGES;
        problems.push(Problem::Tokenizer { file, reason });
        return None;
    }
    let known = special_tokens(&vocabulary, &settings.special);
    let made = BPE::builder()
        .vocab_and_merges(vocabulary, pairs)
        .build()
        .and_then(|model| {
            let mut tokenizer = Tokenizer::new(model);
            let prefix_space = settings.prefix_space.unwrap_or(false);
            tokenizer.with_pre_tokenizer(Some(ByteLevel::new(prefix_space, true, true)));
            // The mask takes the blank before it, as in `RobertaTokenizerFast`.
            let mask = |token: &AddedToken| token.content == settings.special.mask;
            let tokens = known.into_iter().map(|token| {
                let strip = mask(&token);
                token.lstrip(strip)
            });
            tokenizer.add_special_tokens(tokens.collect::<Vec<_>>())?;
            Ok(tokenizer)
        });
    made_of(VOCAB_JSON, made, problems)
}

/// The special tokens that the vocabulary has.
fn special_tokens(vocabulary: &Vocab, special: &SpecialTokens) -> Vec<AddedToken> {
    let names = [
        &special.pad,
        &special.unk,
        &special.cls,
        &special.sep,
        &special.mask,
    ];
    let known = names
        .into_iter()
        .filter(|&name| vocabulary.contains_key(name));
    known
        .map(|name| AddedToken::from(name.clone(), true))
        .collect()
}

/// The tokenizer, or that there is none.
fn made_of(
    file: &'static str,
    made: tokenizers::Result<Tokenizer>,
    problems: &mut Vec<Problem>,
) -> Option<Tokenizer> {
    match made {
        Ok(tokenizer) => Some(tokenizer),
        Err(error) => {
            let reason = error.to_string();
            problems.push(Problem::Tokenizer { file, reason });
            None
        }
    }
}
