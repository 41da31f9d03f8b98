//! The table of the questions themselves.

use crate::claims::order;
use crate::profile::{Measure, Profile};
use crate::table::{Column, Table, Values};

/// The table `questions`: a row each, in file order. What else is known of them by row comes behind.
#[must_use]
pub fn questions(profiles: &[Profile], more: Vec<Column>) -> Table {
    let facts = || profiles.iter().map(|profile| &profile.facts);
    let some = |name, values: &mut dyn Iterator<Item = Option<f64>>| {
        let finite = values.map(|value| value.filter(|value| value.is_finite()));
        Column {
            name,
            values: Values::Number(finite.collect()),
        }
    };
    let mut columns = vec![
        Column::text("id", facts().map(|f| f.id.clone())),
        Column::text("title", facts().map(|f| f.article.clone())),
        Column::text("question_type", facts().map(|f| f.question_type.name())),
        Column::truth("answered", facts().map(|f| f.answered)),
        Column::truth("answerable", facts().map(|f| f.answerable)),
        Column::truth("exact", facts().map(|f| f.right)),
        Column::number("f1", facts().map(|f| f.f1)),
        Column::number("probability", facts().map(|f| f.probability)),
        Column::integer("passage_tokens", facts().map(|f| f.passage_tokens)),
        Column::number("digits", facts().map(|f| f.digits)),
        Column::number("names", facts().map(|f| f.names)),
        some("overlap", &mut facts().map(|f| f.overlap)),
        some("place", &mut facts().map(|f| f.place)),
        Column::integers(
            "leads_cut",
            profiles.iter().map(|p| p.leads().map(|cut| cut + 1)),
        ),
        Column::number(
            "order_tau",
            profiles.iter().map(|p| order(p, Measure::Positive)),
        ),
    ];
    columns.extend(more);
    Table {
        name: "questions",
        about: "A question of the run; leads_cut is the first cut whose strongest token is the answer's, order_tau the Kendall correlation of claim d.",
        columns,
    }
}
