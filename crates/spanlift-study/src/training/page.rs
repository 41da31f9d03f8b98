//! A training as one page that needs nothing else: tables and the probe questions' maps as JSON inside the component of `web/src/study`.

use serde::Serialize;
use spanlift_render::page::escape;

use super::Training;
use crate::StudyError;
use crate::report::columns::Columns;
use crate::report::{Pack, Packed, Shared, component, written};
use crate::table::Table;

/// What a page is made of.
#[derive(Clone, Debug)]
pub struct PageData<'a> {
    /// The training's folder, without the folders above it.
    pub name: &'a str,
    /// The training.
    pub training: &'a Training,
    /// [`Training::tables`].
    pub tables: &'a [Table],
}

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    version: u32,
    facts: Facts<'a>,
    tables: Vec<Columns<'a>>,
    #[serde(flatten)]
    shared: Shared<'a>,
    steps: Vec<Step<'a>>,
}

#[derive(Serialize)]
struct Facts<'a> {
    name: &'a str,
    model: &'a str,
    family: &'a str,
    layers: usize,
    heads: usize,
    data: &'a str,
    questions: usize,
    probe: &'a str,
    probed: usize,
    reference: &'a str,
    steps: u64,
    version: &'a str,
    options: Vec<(&'static str, String)>,
}

#[derive(Serialize)]
struct Step<'a> {
    step: u64,
    maps: Vec<Packed<'a>>,
}

/// The page's data: `{"format": "spanlift.training", "version": 1, …}`.
///
/// # Errors
///
/// [`StudyError::Write`] where a table's columns differ in length.
pub fn json(data: &PageData<'_>) -> Result<String, StudyError> {
    let (training, plan) = (data.training, &data.training.plan);
    let mut pack = Pack::new();
    let steps = training.steps.iter().map(|probed| Step {
        step: probed.step,
        maps: probed.maps.iter().map(|map| pack.add(map)).collect(),
    });
    let steps = steps.collect();
    let tables: Result<_, _> = data.tables.iter().map(Columns::of).collect();
    let settings = &plan.settings;
    let probe = plan.probe.as_ref();
    let document = Document {
        format: "spanlift.training",
        version: 1,
        facts: Facts {
            name: data.name,
            model: &plan.base.name,
            family: &plan.base.family,
            layers: plan.base.layers,
            heads: plan.base.heads,
            data: &plan.data.name,
            questions: plan.data.questions,
            probe: probe.map_or("", |probe| &probe.data.name),
            probed: probe.map_or(0, |probe| probe.data.questions),
            reference: probe.map_or("", |probe| &probe.reference),
            steps: settings.steps,
            version: &plan.spanlift,
            options: vec![
                ("batch", settings.batch.to_string()),
                ("rate", settings.rate.to_string()),
                ("warm-up", settings.warm_up.to_string()),
                ("dropout", settings.dropout.to_string()),
                ("seed", settings.seed.to_string()),
            ],
        },
        tables: tables?,
        shared: pack.shared(),
        steps,
    };
    written(&document, "steps")
}

/// The page.
///
/// # Errors
///
/// [`StudyError::Write`] where a table's columns differ in length.
pub fn page(data: &PageData<'_>) -> Result<String, StudyError> {
    let plan = &data.training.plan;
    let title = format!("Training of {}", plan.base.name);
    let readable = format!(
        "<h1 dir=\"auto\">{}</h1>\n<p>{} questions of {}, {} steps; {} probe questions at {} of them</p>\n\
         <p>Charts, heatmaps and tables are drawn by the page\u{2019}s script.</p>\n",
        escape(&title),
        plan.data.questions,
        escape(&plan.data.name),
        plan.settings.steps,
        plan.probe.as_ref().map_or(0, |probe| probe.data.questions),
        data.training.steps.len(),
    );
    Ok(component(&title, &json(data)?, &readable))
}
