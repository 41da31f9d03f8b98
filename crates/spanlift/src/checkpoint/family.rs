//! The families' names: what each calls its config fields, its tensors and its special tokens. A family is a row of
//! constants; the code that reads a checkpoint is the same for all.
//!
//! Names and defaults are those of the
//! [transformers library](https://github.com/huggingface/transformers/tree/d60525f3595f8214576d6b8f1c54ac7cd0b5c42c/src/transformers/models).

use crate::model::Family;

/// A row of the table.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) family: Family,
    pub(super) config: ConfigNames,
    pub(super) tensors: TensorNames,
    pub(super) text: TextNames,
}

/// Fields of `config.json`.
#[derive(Debug)]
pub(super) struct ConfigNames {
    pub(super) hidden: &'static str,
    pub(super) layers: &'static str,
    pub(super) heads: &'static str,
    pub(super) feed_forward: &'static str,
    pub(super) activation: &'static str,
    pub(super) default_activation: &'static str,
    /// E, where it may differ from H, and its default; `None` stands for H.
    pub(super) embedding: Option<Option<usize>>,
    /// ε where the config does not say; `Err` where it cannot say.
    pub(super) layer_norm_eps: Result<f64, f64>,
    pub(super) segments: Segments,
    /// Other names that the library takes for a field, each behind the field's own.
    pub(super) aliases: &'static [(&'static str, &'static str)],
    /// Positions begin behind the padding id: position 0 is row `pad_token_id` + 1.
    pub(super) positions_behind_padding: bool,
}

/// What a family knows of segments.
#[derive(Clone, Copy, Debug)]
pub(super) enum Segments {
    /// No table.
    None,
    /// `type_vocab_size` rows, by default this many; 0 is no table. At least this many are needed.
    Rows { default: usize, least: usize },
}

/// Tensors of the weights' file.
#[derive(Debug)]
pub(super) struct TensorNames {
    /// In front of the encoder's names in a model with a head.
    pub(super) prefix: &'static str,
    /// In front of the layers' names.
    pub(super) encoder: &'static str,
    pub(super) query: &'static str,
    pub(super) key: &'static str,
    pub(super) value: &'static str,
    pub(super) attention_output: &'static str,
    pub(super) attention_norm: &'static str,
    pub(super) intermediate: &'static str,
    pub(super) output: &'static str,
    pub(super) output_norm: &'static str,
}

/// The tokenizer.
#[derive(Debug)]
pub(super) struct TextNames {
    /// The classes that `vocab.txt`, or `vocab.json` with `merges.txt`, is read for.
    pub(super) classes: &'static [&'static str],
    /// How words are split where there is no `tokenizer.json`.
    pub(super) splitter: Splitter,
    /// `[CLS]`, `[SEP]`, `[PAD]`, `[UNK]`, `[MASK]`.
    pub(super) special: [&'static str; 5],
    /// Separators between question and passage.
    pub(super) separators: usize,
    /// The passage is segment 1.
    pub(super) passage_segment: u32,
}

/// What a tokenizer without `tokenizer.json` is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Splitter {
    /// `vocab.txt`.
    WordPiece,
    /// `vocab.json` and `merges.txt`.
    ByteLevel,
    /// Nothing that is read.
    SentencePiece,
}

const BERT_CONFIG: ConfigNames = ConfigNames {
    hidden: "hidden_size",
    layers: "num_hidden_layers",
    heads: "num_attention_heads",
    feed_forward: "intermediate_size",
    activation: "hidden_act",
    default_activation: "gelu",
    embedding: None,
    layer_norm_eps: Ok(1e-12),
    segments: Segments::Rows {
        default: 2,
        least: 2,
    },
    aliases: &[],
    positions_behind_padding: false,
};

const BERT_TENSORS: TensorNames = TensorNames {
    prefix: "bert.",
    encoder: "encoder.layer.",
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    attention_output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    intermediate: "intermediate.dense",
    output: "output.dense",
    output_norm: "output.LayerNorm",
};

const BERT_TEXT: TextNames = TextNames {
    classes: &["BertTokenizer", "BertTokenizerFast"],
    splitter: Splitter::WordPiece,
    special: ["[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"],
    separators: 1,
    passage_segment: 1,
};

const BERT: Names = Names {
    family: Family::Bert,
    config: BERT_CONFIG,
    tensors: BERT_TENSORS,
    text: BERT_TEXT,
};

const ROBERTA: Names = Names {
    family: Family::Roberta,
    config: ConfigNames {
        segments: Segments::Rows {
            default: 2,
            least: 1,
        },
        positions_behind_padding: true,
        ..BERT_CONFIG
    },
    tensors: TensorNames {
        prefix: "roberta.",
        ..BERT_TENSORS
    },
    text: TextNames {
        classes: &["RobertaTokenizer", "RobertaTokenizerFast"],
        splitter: Splitter::ByteLevel,
        special: ["<s>", "</s>", "<pad>", "<unk>", "<mask>"],
        separators: 2,
        passage_segment: 0,
    },
};

const XLM_ROBERTA: Names = Names {
    family: Family::XlmRoberta,
    text: TextNames {
        classes: &["XLMRobertaTokenizer", "XLMRobertaTokenizerFast"],
        splitter: Splitter::SentencePiece,
        ..ROBERTA.text
    },
    ..ROBERTA
};

const DISTILBERT: Names = Names {
    family: Family::DistilBert,
    config: ConfigNames {
        hidden: "dim",
        layers: "n_layers",
        heads: "n_heads",
        feed_forward: "hidden_dim",
        activation: "activation",
        layer_norm_eps: Err(1e-12),
        segments: Segments::None,
        aliases: &[
            ("dim", "hidden_size"),
            ("n_layers", "num_hidden_layers"),
            ("n_heads", "num_attention_heads"),
        ],
        ..BERT_CONFIG
    },
    tensors: TensorNames {
        prefix: "distilbert.",
        encoder: "transformer.layer.",
        query: "attention.q_lin",
        key: "attention.k_lin",
        value: "attention.v_lin",
        attention_output: "attention.out_lin",
        attention_norm: "sa_layer_norm",
        intermediate: "ffn.lin1",
        output: "ffn.lin2",
        output_norm: "output_layer_norm",
    },
    text: TextNames {
        classes: &[
            "DistilBertTokenizer",
            "DistilBertTokenizerFast",
            "BertTokenizer",
            "BertTokenizerFast",
        ],
        passage_segment: 0,
        ..BERT_TEXT
    },
};

const ELECTRA: Names = Names {
    family: Family::Electra,
    config: ConfigNames {
        embedding: Some(Some(128)),
        ..BERT_CONFIG
    },
    tensors: TensorNames {
        prefix: "electra.",
        ..BERT_TENSORS
    },
    text: TextNames {
        classes: &[
            "ElectraTokenizer",
            "ElectraTokenizerFast",
            "BertTokenizer",
            "BertTokenizerFast",
        ],
        ..BERT_TEXT
    },
};

const MOBILEBERT: Names = Names {
    family: Family::MobileBert,
    config: ConfigNames {
        default_activation: "relu",
        embedding: Some(Some(128)),
        ..BERT_CONFIG
    },
    tensors: TensorNames {
        prefix: "mobilebert.",
        ..BERT_TENSORS
    },
    text: TextNames {
        classes: &[
            "MobileBertTokenizer",
            "MobileBertTokenizerFast",
            "BertTokenizer",
            "BertTokenizerFast",
        ],
        ..BERT_TEXT
    },
};

const DEBERTA_V2: Names = Names {
    family: Family::DebertaV2,
    config: ConfigNames {
        embedding: Some(None),
        layer_norm_eps: Ok(1e-7),
        segments: Segments::Rows {
            default: 0,
            least: 0,
        },
        ..BERT_CONFIG
    },
    tensors: TensorNames {
        prefix: "deberta.",
        query: "attention.self.query_proj",
        key: "attention.self.key_proj",
        value: "attention.self.value_proj",
        ..BERT_TENSORS
    },
    text: TextNames {
        classes: &["DebertaV2Tokenizer", "DebertaV2TokenizerFast"],
        splitter: Splitter::SentencePiece,
        ..BERT_TEXT
    },
};

static TABLE: [Names; 7] = [
    BERT,
    ROBERTA,
    XLM_ROBERTA,
    DISTILBERT,
    ELECTRA,
    MOBILEBERT,
    DEBERTA_V2,
];

/// The row of a `model_type`.
pub(super) fn named(model_type: &str) -> Option<&'static Names> {
    TABLE.iter().find(|row| row.family.name() == model_type)
}

/// The row of a family.
pub(super) fn of(family: Family) -> &'static Names {
    TABLE
        .iter()
        .find(|row| row.family == family)
        .unwrap_or(&TABLE[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_its_own_row() {
        for family in Family::ALL {
            assert_eq!(of(family).family, family);
            assert_eq!(named(family.name()).map(|row| row.family), Some(family));
        }
        assert!(named("bart").is_none());
    }
}
