//! `spanlift study report`: everything that is known of a run, as one page.

use std::collections::HashSet;

use spanlift_study::cluster::Features;
use spanlift_study::plane::plane;
use spanlift_study::profile::Profile;
use spanlift_study::report::{self, Controls, Facts, QuestionMap, ReportData};
use spanlift_study::{Column, Study, StudyError, Table, clusters, groups};

use super::args::ReportArgs;
use super::{claims, cluster, profile, read_shuffled};
use crate::output::{self, Outcome};

/// Questions, at most, that t-SNE lays out.
const POINTS: usize = 5000;

pub(crate) fn run(args: &ReportArgs) -> anyhow::Result<Outcome> {
    output::check_page("--output", &args.output)?;
    if let Some(folder) = &args.tables {
        output::check_folder("--tables", folder)?;
    }
    let mut maps = Vec::new();
    let look = |record: &_| maps.push(QuestionMap::of(record));
    let (study, shuffles) = read_shuffled(&args.run, look)?;
    let mut maps = maps.into_iter().collect::<Result<Vec<_>, _>>()?;
    let facts: Vec<_> = study.profiles.iter().map(|p| &p.facts).collect();
    let bootstrap = args.run.drawing.bootstrap();
    let all = groups::groupings(&facts);
    let mut tables = profile::tables(&study, &all, bootstrap);
    let mut missing: Vec<(&str, String)> = Vec::new();
    match claims::test(&study, &args.run, &args.controls) {
        Ok(found) => tables.extend([found.table(), found.verdict_table()]),
        Err(error) => match error.downcast_ref::<StudyError>() {
            Some(StudyError::FewLayers { .. }) => missing.push(("claims", format!("{error}."))),
            _ => return Err(error),
        },
    }
    let mut columns = Vec::new();
    // What some cannot be clustered by does not cost the others.
    let represented =
        cluster::represent(&study, &shuffles, &args.clustering, args.run.drawing.seed)?;
    let (clustered, failed) =
        cluster::cluster(&represented.found, &args.clustering, args.run.drawing.seed)?;
    let failures: Vec<String> = represented.failed.into_iter().chain(failed).collect();
    if clustered.is_empty() {
        missing.push(("clusterings", format!("{}.", failures.join("; "))));
    } else {
        columns = cluster::columns(&study, &clustered);
        tables.extend(clusters::tables(
            &study.profiles,
            &all,
            &clustered,
            bootstrap,
        ));
    }
    failures.iter().for_each(|failure| output::warn(failure));
    match points(&study, args.run.drawing.seed) {
        Ok(points) => columns.extend(points),
        Err(error) => drop(cluster::unfit("plane", error)?),
    }
    choose(&mut maps, args.maps, &typical(&tables));
    // The questions first: the page lists the tables in this order.
    tables.insert(0, spanlift_study::questions(&study.profiles, columns));
    if let Some((format, folder)) = args.format.zip(args.tables.as_ref()) {
        super::write_all(format.format(), folder, &tables.iter().collect::<Vec<_>>())?;
    }
    let missing: Vec<(&str, &str)> = missing
        .iter()
        .map(|(name, why)| (*name, why.as_str()))
        .collect();
    let folder = std::path::absolute(&args.run.run)?;
    let name = folder.file_name().unwrap_or(folder.as_os_str());
    let options = [
        ("seed", args.run.drawing.seed.to_string()),
        ("resamples", args.run.drawing.resamples.to_string()),
    ];
    let controls = Controls {
        spans: args.controls.random_spans.is_some(),
        weights: args.controls.random_weights.is_some(),
    };
    let page = report::page(&ReportData {
        facts: Facts::new(
            &name.to_string_lossy(),
            &study.plan,
            study.profiles.len(),
            &options,
            controls,
        ),
        tables: &tables,
        missing: &missing,
        maps: &maps,
    })?;
    output::write_whole("--output", &args.output, page.as_bytes())?;
    Ok(Outcome::Done)
}

/// Each question a point in two planes, by its layer profile.
fn points(study: &Study, seed: u64) -> Result<Vec<Column>, StudyError> {
    let layers = study.plan.model.info.layers;
    let wide = |p: &Profile| p.layer_features().into_iter().map(f64::from).collect();
    let rows: Vec<Vec<f64>> = study.profiles.iter().map(wide).collect();
    let features = Features::new(Profile::layer_feature_names(layers), &rows)?;
    let plane = plane(&features, seed, POINTS)?;
    let pca = |axis: usize| plane.pca.iter().map(move |point| point[axis]);
    let tsne = |axis: usize| {
        plane
            .tsne
            .iter()
            .map(move |point| point.map_or(f64::NAN, |p| p[axis]))
    };
    Ok(vec![
        Column::number("x_pca", pca(0)),
        Column::number("y_pca", pca(1)),
        Column::number("x_tsne", tsne(0)),
        Column::number("y_tsne", tsne(1)),
    ])
}

/// The ids of the clusters' typical questions.
fn typical(tables: &[Table]) -> HashSet<String> {
    let medoids = tables.iter().filter(|table| table.name == "medoids");
    let ids = medoids.flat_map(|table| (0..table.rows()).map(|row| table.text("id", row)));
    ids.collect()
}

/// Keeps so many maps: those of typical questions, and the first of the others.
fn choose(maps: &mut Vec<QuestionMap>, most: usize, typical: &HashSet<String>) {
    let others = most.saturating_sub(typical.len());
    let mut seen = 0;
    maps.retain(|map| {
        let is_typical = typical.contains(map.id());
        seen += usize::from(!is_typical);
        is_typical || seen <= others
    });
    maps.truncate(most);
}
