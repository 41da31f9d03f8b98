//! A comparison as one page that needs nothing else: tables and examples as JSON inside the component of `web/src/study`.

use serde::Serialize;
use spanlift_explanation::Method;
use spanlift_render::page::escape;

use super::example::Example;
use super::run::ComparisonPlan;
use crate::StudyError;
use crate::report::columns::Columns;
use crate::report::{component, written};
use crate::table::Table;

/// What a page is made of.
#[derive(Clone, Debug)]
pub struct PageData<'a> {
    /// What was compared.
    pub plan: &'a ComparisonPlan,
    /// How many questions were measured.
    pub questions: usize,
    /// What else was chosen: name and value.
    pub options: &'a [(&'a str, String)],
    /// `faithfulness`, `pairs`, `agreement`, `sanity`.
    pub tables: &'a [&'a Table],
    /// The questions that are shown.
    pub examples: &'a [Example],
}

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    version: u32,
    facts: Facts<'a>,
    tables: Vec<Columns<'a>>,
    examples: &'a [Example],
}

#[derive(Serialize)]
struct Facts<'a> {
    model: &'a str,
    family: &'a str,
    layers: usize,
    heads: usize,
    data: &'a str,
    questions: usize,
    reference: &'a str,
    version: &'a str,
    options: &'a [(&'a str, String)],
    methods: Vec<MethodFacts<'a>>,
}

#[derive(Serialize)]
struct MethodFacts<'a> {
    name: String,
    label: &'a str,
    rule: &'a str,
    reference: &'a str,
    complete: bool,
}

/// The page's data: `{"format": "spanlift.compared", "version": 1, …}`.
///
/// # Errors
///
/// [`StudyError::Write`] where a table's columns differ in length.
pub fn json(data: &PageData<'_>) -> Result<String, StudyError> {
    let run = &data.plan.run;
    let named = data.plan.names().into_iter().zip(&data.plan.methods);
    let methods = named.map(|(name, method): (String, &Method)| MethodFacts {
        name,
        label: method.label(),
        rule: &method.rule,
        reference: &method.reference,
        complete: method.complete,
    });
    let tables: Result<_, _> = data.tables.iter().map(|table| Columns::of(table)).collect();
    let document = Document {
        format: "spanlift.compared",
        version: 1,
        facts: Facts {
            model: &run.model.info.name,
            family: &run.model.info.family,
            layers: run.model.info.layers,
            heads: run.model.info.heads,
            data: &run.data.name,
            questions: data.questions,
            reference: &run.method.info.reference,
            version: &run.spanlift,
            options: data.options,
            methods: methods.collect(),
        },
        tables: tables?,
        examples: data.examples,
    };
    written(&document, "faithfulness")
}

/// The page.
///
/// # Errors
///
/// [`StudyError::Write`] where a table's columns differ in length.
pub fn page(data: &PageData<'_>) -> Result<String, StudyError> {
    let run = &data.plan.run;
    let title = format!("Methods compared on {}", run.data.name);
    let readable = format!(
        "<h1 dir=\"auto\">{}</h1>\n<p>{} questions, {}, reference {}, {}</p>\n\
         <p>Curves, matrices, heatmaps and tables are drawn by the page\u{2019}s script.</p>\n",
        escape(&title),
        data.questions,
        escape(&run.model.info.name),
        escape(&run.method.info.reference),
        escape(&data.plan.names().join(", ")),
    );
    Ok(component(&title, &json(data)?, &readable))
}
