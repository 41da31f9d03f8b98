//! The columns of a part: one table, which is written down and read up.
//!
//! Each row of it says what a column is called, how it is had of a [`Record`] and how it is put back. S tokens of the explained
//! window, L layers, A heads, K edges, C candidates, G gold answers.

use parquet::basic::Repetition;
use parquet::column::reader::{ColumnReader, get_typed_column_reader};
use parquet::errors::{ParquetError, Result};
use parquet::file::writer::SerializedColumnWriter;
use parquet::schema::types::Type;

use spanlift_explanation::{Candidate, Edge, LayerScores, Part, TargetKind, Token};
use spanlift_squad::GoldAnswer;

use super::cell::{Cell, Leaves, Taking};
use crate::record::HeadEdges;
use crate::{Keep, Record};

/// A column, whatever its values are.
pub(crate) trait Column {
    fn name(&self) -> &'static str;
    /// Its type as SQL names it, lists as `FLOAT[][]`.
    fn sql(&self) -> String;
    fn node(&self) -> Result<Type>;
    fn write(&self, records: &[Record], writer: SerializedColumnWriter<'_>) -> Result<()>;
    fn read(&self, records: &mut [Record], reader: ColumnReader) -> Result<()>;
}

struct Of<C> {
    name: &'static str,
    get: fn(&Record) -> C,
    /// `None` where the value does not go with those that were put back before.
    set: fn(&mut Record, C) -> Option<()>,
}

impl<C: Cell> Column for Of<C> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn sql(&self) -> String {
        C::sql()
    }

    fn node(&self) -> Result<Type> {
        C::node(self.name, Repetition::REQUIRED)
    }

    fn write(&self, records: &[Record], mut writer: SerializedColumnWriter<'_>) -> Result<()> {
        let mut leaves = Leaves::default();
        for record in records {
            (self.get)(record).put(&mut leaves, Default::default());
        }
        let column = writer.typed::<C::Physical>();
        let Leaves {
            values,
            definition,
            repetition,
        } = &leaves;
        column.write_batch(values, Some(definition), Some(repetition))?;
        writer.close()
    }

    fn read(&self, records: &mut [Record], reader: ColumnReader) -> Result<()> {
        let mut reader = get_typed_column_reader::<C::Physical>(reader);
        let mut leaves = Leaves::<C::Physical>::default();
        let Leaves {
            values,
            definition,
            repetition,
        } = &mut leaves;
        let (rows, _, levels) =
            reader.read_records(records.len(), Some(definition), Some(repetition), values)?;
        let wrong = |what: &str| ParquetError::General(format!("column {}: {what}", self.name));
        if rows != records.len() {
            let what = format!("expected {} rows, got {rows}", records.len());
            return Err(wrong(&what));
        }
        // A column without optional or repeated parts has no levels of its own.
        leaves.definition.resize(levels, 0);
        leaves.repetition.resize(levels, 0);
        let mut taking = Taking::new(leaves);
        for record in records {
            let value = taking
                .row()
                .ok_or_else(|| wrong("its levels contradict each other"))?;
            (self.set)(record, value).ok_or_else(|| wrong("it does not go with the others"))?;
        }
        if taking.is_done() {
            return Ok(());
        }
        Err(wrong("it has more values than rows"))
    }
}

/// Puts a list of values into a list of structures: into its entries, or where it has none yet into as many blank ones.
fn spread<T, V>(
    list: &mut Vec<T>,
    blank: fn() -> T,
    values: Vec<V>,
    set: impl Fn(&mut T, V),
) -> Option<()> {
    if list.is_empty() {
        list.extend(values.iter().map(|_| blank()));
    }
    (list.len() == values.len()).then(|| list.iter_mut().zip(values).for_each(|(t, v)| set(t, v)))
}

fn each<T, V>(list: &[T], get: impl Fn(&T) -> V) -> Vec<V> {
    list.iter().map(get).collect()
}

const PARTS: [(Part, &str); 3] = [
    (Part::Special, "special"),
    (Part::Question, "question"),
    (Part::Passage, "passage"),
];

const TARGETS: [(TargetKind, &str); 5] = [
    (TargetKind::Span, "span"),
    (TargetKind::Start, "start"),
    (TargetKind::End, "end"),
    (TargetKind::Margin, "margin"),
    (TargetKind::Versus, "versus"),
];

fn name_of<T: Copy + PartialEq>(names: &[(T, &str)], value: T) -> String {
    let found = names.iter().find(|(named, _)| *named == value);
    found.map_or_else(String::new, |(_, name)| (*name).to_owned())
}

fn named<T: Copy>(names: &[(T, &str)], name: &str) -> Option<T> {
    let found = names.iter().find(|(_, known)| *known == name);
    found.map(|(value, _)| *value)
}

fn blank_gold() -> GoldAnswer {
    GoldAnswer {
        text: String::new(),
        start: 0,
    }
}

fn blank_token() -> Token {
    Token {
        text: String::new(),
        id: 0,
        part: Part::Special,
        start: None,
        end: None,
    }
}

fn blank_layer() -> LayerScores {
    LayerScores {
        name: String::new(),
        score: Vec::new(),
        positive: Vec::new(),
        negative: Vec::new(),
        sum: 0.0,
        error: 0.0,
    }
}

fn blank_edge() -> Edge {
    Edge {
        layer: 0,
        head: 0,
        query: 0,
        key: 0,
        pattern: 0.0,
        content: 0.0,
    }
}

fn blank_candidate() -> Candidate {
    Candidate {
        text: String::new(),
        start: 0,
        end: 0,
        window: 0,
        start_token: 0,
        end_token: 0,
        score: 0.0,
        probability: 0.0,
    }
}

/// The columns of a run that keeps these, in the order of the file.
pub(crate) fn columns(keep: Keep) -> Vec<Box<dyn Column>> {
    let mut columns: Vec<Box<dyn Column>> = Vec::new();
    // A field of the record, and a field of each entry of one of its lists.
    macro_rules! field {
        ($name:literal, $($place:ident).+) => {
            columns.push(Box::new(Of {
                name: $name,
                get: |r| r.$($place).+.clone(),
                set: |r, v| {
                    r.$($place).+ = v;
                    Some(())
                },
            }));
        };
    }
    macro_rules! list {
        ($name:literal, $($list:ident).+, $blank:ident, $field:ident) => {
            columns.push(Box::new(Of {
                name: $name,
                get: |r| each(&r.$($list).+, |x| x.$field.clone()),
                set: |r, v| spread(&mut r.$($list).+, $blank, v, |x, v| x.$field = v),
            }));
        };
    }

    field!("id", id);
    field!("title", title);
    field!("question", explanation.question);
    columns.push(Box::new(Of {
        name: "question_type",
        get: |r| r.kind().name().to_owned(),
        // The question says it.
        set: |r, v: String| (r.kind().name() == v).then_some(()),
    }));
    field!("passage", explanation.passage);
    field!("is_impossible", is_impossible);
    list!("gold_text", gold, blank_gold, text);
    list!("gold_start", gold, blank_gold, start);
    field!("exact", exact);
    field!("f1", f1);

    field!("answer_text", explanation.answer.text);
    field!("answer_start", explanation.answer.start);
    field!("answer_end", explanation.answer.end);
    field!("answer_start_token", explanation.answer.start_token);
    field!("answer_end_token", explanation.answer.end_token);
    field!("has_answer", explanation.answer.has_answer);
    field!("answer_given", explanation.answer.given);
    field!("score", explanation.answer.score);
    field!("null_score", explanation.answer.null_score);
    field!("probability", explanation.answer.probability);
    list!(
        "candidate_text",
        explanation.candidates,
        blank_candidate,
        text
    );
    list!(
        "candidate_start",
        explanation.candidates,
        blank_candidate,
        start
    );
    list!(
        "candidate_end",
        explanation.candidates,
        blank_candidate,
        end
    );
    list!(
        "candidate_window",
        explanation.candidates,
        blank_candidate,
        window
    );
    list!(
        "candidate_start_token",
        explanation.candidates,
        blank_candidate,
        start_token
    );
    list!(
        "candidate_end_token",
        explanation.candidates,
        blank_candidate,
        end_token
    );
    list!(
        "candidate_score",
        explanation.candidates,
        blank_candidate,
        score
    );
    list!(
        "candidate_probability",
        explanation.candidates,
        blank_candidate,
        probability
    );

    columns.push(Box::new(Of {
        name: "target",
        get: |r| name_of(&TARGETS, r.explanation.target.kind),
        set: |r, v: String| {
            r.explanation.target.kind = named(&TARGETS, &v)?;
            Some(())
        },
    }));
    field!("target_start_token", explanation.target.start_token);
    field!("target_end_token", explanation.target.end_token);
    field!("value", explanation.target.value);
    field!("reference_value", explanation.target.reference_value);
    field!("delta", explanation.target.delta);
    field!("window_index", explanation.window.index);
    field!("window_count", explanation.window.count);
    field!("window_start", explanation.window.start);
    field!("window_end", explanation.window.end);

    list!("token_text", explanation.tokens, blank_token, text);
    list!("token_id", explanation.tokens, blank_token, id);
    columns.push(Box::new(Of {
        name: "token_part",
        get: |r| each(&r.explanation.tokens, |token| name_of(&PARTS, token.part)),
        set: |r, v: Vec<String>| {
            let parts: Option<Vec<Part>> = v.iter().map(|part| named(&PARTS, part)).collect();
            spread(
                &mut r.explanation.tokens,
                blank_token,
                parts?,
                |token, part| {
                    token.part = part;
                },
            )
        },
    }));
    list!("token_start", explanation.tokens, blank_token, start);
    list!("token_end", explanation.tokens, blank_token, end);

    field!("word_score", explanation.word_score);
    field!("word_sum", explanation.word_sum);
    field!("word_error", explanation.word_error);
    list!("layer_name", explanation.layers, blank_layer, name);
    list!("layer_score", explanation.layers, blank_layer, score);
    list!("layer_positive", explanation.layers, blank_layer, positive);
    list!("layer_negative", explanation.layers, blank_layer, negative);
    list!("layer_sum", explanation.layers, blank_layer, sum);
    list!("layer_error", explanation.layers, blank_layer, error);
    field!("head_score", explanation.heads.score);
    if keep.head_tokens {
        field!("head_token_score", explanation.heads.by_token);
    }
    field!("residual", explanation.heads.residual);
    field!("head_error", explanation.heads.error);
    field!("mlp", explanation.mlp);
    field!("mlp_residual", explanation.mlp_residual);
    field!("mlp_error", explanation.mlp_error);
    field!("attention", attention);
    list!("edge_layer", explanation.top_edges, blank_edge, layer);
    list!("edge_head", explanation.top_edges, blank_edge, head);
    list!("edge_query", explanation.top_edges, blank_edge, query);
    list!("edge_key", explanation.top_edges, blank_edge, key);
    list!("edge_pattern", explanation.top_edges, blank_edge, pattern);
    list!("edge_content", explanation.top_edges, blank_edge, content);
    if keep.edges.is_some() {
        macro_rules! edges {
            ($name:literal, $field:ident) => {
                columns.push(Box::new(Of {
                    name: $name,
                    get: |r| {
                        let edges = r.head_edges.as_ref();
                        edges.map_or_else(Vec::new, |edges| edges.$field.clone())
                    },
                    set: |r, v| {
                        r.head_edges.get_or_insert_with(HeadEdges::default).$field = v;
                        Some(())
                    },
                }));
            };
        }
        edges!("head_edge_query", query);
        edges!("head_edge_key", key);
        edges!("head_edge_pattern", pattern);
        edges!("head_edge_content", content);
    }

    field!("error_bound", explanation.completeness.bound);
    field!("worst_error", explanation.completeness.worst);
    field!("worst_cut", explanation.completeness.cut);
    field!("holds", explanation.completeness.holds);
    columns
}
