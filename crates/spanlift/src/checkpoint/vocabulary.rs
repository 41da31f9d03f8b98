//! The tokenizer: `tokenizer.json`, or `vocab.txt` with what `tokenizer_config.json` says about it.
//!
//! Names, defaults and what overrules what are those of
//! [`BertTokenizerFast`](https://github.com/huggingface/transformers/blob/096f9d3ec3c8ef8991d9c983387d40cc3196e7ca/src/transformers/models/bert/tokenization_bert_fast.py).

use serde_json::Value;
use tokenizers::models::bpe::Vocab;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::{BertNormalizer, NormalizerWrapper};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{AddedToken, Tokenizer};

use super::Problem;
use super::files::{Files, TOKENIZER, TOKENIZER_CONFIG, VOCAB, told};
use super::json::{Fields, utf8};
use crate::encode::{SpecialTokens, Vocabulary};

const NORMALIZER: &str = "normalizer";

/// The tokenizer classes that `vocab.txt` is read for.
const CLASSES: [&str; 2] = ["BertTokenizer", "BertTokenizerFast"];

/// Makes the vocabulary and holds it against the embedding table of `rows` rows.
pub(super) fn read(
    files: &Files<'_>,
    rows: Option<usize>,
    positions: Option<usize>,
    problems: &mut Vec<Problem>,
    notes: &mut Vec<String>,
) -> Option<Vocabulary> {
    let config = files.tokenizer_config.as_deref();
    let settings = config.map(|bytes| Settings::read(bytes, problems));
    let (file, tokenizer) = match (&files.tokenizer, &files.vocab) {
        (Some(bytes), _) => {
            let settings = settings.clone().flatten().unwrap_or_default();
            (TOKENIZER, whole(bytes, &settings, problems, notes)?)
        }
        (None, Some(bytes)) if settings.is_some() => {
            let settings = settings.clone().flatten()?;
            (VOCAB, from_words(bytes, &settings, problems, notes)?)
        }
        _ => {
            if ![TOKENIZER, VOCAB, TOKENIZER_CONFIG]
                .iter()
                .any(|file| told(problems, file))
            {
                problems.push(Problem::MissingTokenizer {
                    vocab: files.vocab.is_some(),
                    config: config.is_some(),
                });
            }
            return None;
        }
    };
    if let Some(rows) = rows {
        against(&tokenizer, file, rows, problems, notes);
    }
    let special = settings.flatten().unwrap_or_default().special;
    match Vocabulary::new(tokenizer, &special, positions.unwrap_or(0)) {
        Ok(vocabulary) => Some(vocabulary),
        Err(missing) => {
            let problem = |(role, name)| Problem::SpecialToken { file, role, name };
            problems.extend(missing.into_iter().map(problem));
            None
        }
    }
}

/// What `tokenizer_config.json` says.
#[derive(Clone, Default)]
struct Settings {
    lowercase: Option<bool>,
    strip_accents: Option<bool>,
    chinese: Option<bool>,
    /// The class and its word splitter, where they are not BERT's.
    foreign: Option<Problem>,
    special: SpecialTokens,
}

impl Settings {
    /// `None` where there is a problem.
    fn read(bytes: &[u8], problems: &mut Vec<Problem>) -> Option<Self> {
        let before = problems.len();
        let fields = Fields::parse(TOKENIZER_CONFIG, bytes, problems)?;
        let mut settings = Self {
            lowercase: fields.flag("do_lower_case", problems),
            strip_accents: fields.flag("strip_accents", problems),
            chinese: fields.flag("tokenize_chinese_chars", problems),
            foreign: foreign(&fields, problems),
            special: SpecialTokens::default(),
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

/// Why words would be split in another way than BERT's.
fn foreign(fields: &Fields, problems: &mut Vec<Problem>) -> Option<Problem> {
    const CLASS: &str = "tokenizer_class";
    const BASIC: &str = "do_basic_tokenize";
    let class = fields.get(CLASS);
    if class.is_some_and(|class| class.as_str().is_none_or(|class| !CLASSES.contains(&class))) {
        return Some(fields.wrong(CLASS, "`BertTokenizer` or `BertTokenizerFast`"));
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
    // Windows are made here, and nothing is put around or back together: parts that are not used are not read either.
    for unused in ["truncation", "padding", "post_processor", "decoder"] {
        fields.remove(unused);
    }
    if fields.get(NORMALIZER).is_some_and(is_precompiled) {
        let expected = "a normalizer that is not SentencePiece's";
        problems.push(Problem::Field {
            file: TOKENIZER,
            field: NORMALIZER,
            expected: String::from(expected),
            got: String::from("`Precompiled`"),
        });
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
    Some(tokenizer)
}

/// Whether a normalizer is, or holds, the one of a SentencePiece model: no BERT has it, and the tokenizers library
/// [panics](https://github.com/huggingface/tokenizers/blob/88a4498ad4ea1a9487b0a9b0ff881383fd5a06a3/tokenizers/src/normalizers/mod.rs#L143) where it is
/// damaged.
fn is_precompiled(normalizer: &Value) -> bool {
    match normalizer {
        Value::Array(parts) => parts.iter().any(is_precompiled),
        Value::Object(fields) => {
            fields.contains_key("precompiled_charsmap")
                || fields.get("type").is_some_and(|kind| kind == "Precompiled")
                || fields.get("normalizers").is_some_and(is_precompiled)
        }
        _ => false,
    }
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
    let special = &settings.special;
    let known = [
        &special.pad,
        &special.unk,
        &special.cls,
        &special.sep,
        &special.mask,
    ]
    .into_iter()
    .filter(|&name| vocabulary.contains_key(name))
    .map(|name| AddedToken::from(name.clone(), true))
    .collect::<Vec<_>>();
    let made = WordPiece::builder()
        .vocab(vocabulary)
        .unk_token(special.unk.clone())
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
    match made {
        Ok(tokenizer) => Some(tokenizer),
        Err(error) => {
            let reason = error.to_string();
            problems.push(Problem::Tokenizer {
                file: VOCAB,
                reason,
            });
            None
        }
    }
}

/// Every id needs a row; rows without an id are common (tables are padded to a round size) and harmless.
fn against(
    tokenizer: &Tokenizer,
    file: &'static str,
    rows: usize,
    problems: &mut Vec<Problem>,
    notes: &mut Vec<String>,
) {
    let vocabulary = tokenizer.get_vocab(true);
    let tokens = vocabulary.len();
    // By name where two have the same id, so that the message is always the same.
    let largest = vocabulary.into_iter().map(|(token, id)| (id, token)).max();
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
