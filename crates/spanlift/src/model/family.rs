//! The families of encoders that one list of operations covers.

/// A family: which parts of the list its encoders have. Its names in checkpoints stand in `checkpoint::family`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Devlin et al. 2019, `BertForQuestionAnswering`.
    Bert,
    /// Liu et al. 2019: positions begin behind the padding id, no segments, two separators.
    Roberta,
    /// Conneau et al. 2020: RoBERTa with a SentencePiece vocabulary.
    XlmRoberta,
    /// Sanh et al. 2019: no segments.
    DistilBert,
    /// Clark et al. 2020: narrow embeddings, projected to the hidden width.
    Electra,
    /// Sun et al. 2020: trigrams of narrow embeddings, bottlenecks, several feed-forward blocks a layer, NoNorm.
    MobileBert,
    /// He et al. 2021 and 2023 (DeBERTa-v3): attention to content and to relative position.
    DebertaV2,
}

impl Family {
    /// All families.
    pub const ALL: [Self; 7] = [
        Self::Bert,
        Self::Roberta,
        Self::XlmRoberta,
        Self::DistilBert,
        Self::Electra,
        Self::MobileBert,
        Self::DebertaV2,
    ];

    /// Its `model_type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
            Self::XlmRoberta => "xlm-roberta",
            Self::DistilBert => "distilbert",
            Self::Electra => "electra",
            Self::MobileBert => "mobilebert",
            Self::DebertaV2 => "deberta-v2",
        }
    }
}
