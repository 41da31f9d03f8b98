//! Every package that the workspace may build from is under a permissive licence.
//!
//! `cargo metadata` gives the resolved graph of all members with all features, on all platforms, with normal,
//! build and dev dependencies; each package's SPDX expression is then evaluated over [`PERMISSIVE`].

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::Context;
use cargo_metadata::{CargoOpt, Metadata, MetadataCommand, Package};
use spdx::{Expression, ParseMode};

/// The licences a package may be under, by their SPDX names, each with why. They ask for no more than a
/// notice, and leave what is built from them under terms of its own.
const PERMISSIVE: &[(&str, &str)] = &[
    ("MIT", "one of our own two"),
    ("Apache-2.0", "one of our own two"),
    (
        "Apache-2.0 WITH LLVM-exception",
        "Apache-2.0 that asks less of binaries",
    ),
    ("MIT-0", "MIT without its notice"),
    ("BSD-2-Clause", "asks for the notice"),
    (
        "BSD-3-Clause",
        "asks for the notice, and not to advertise with the authors' names",
    ),
    ("0BSD", "asks for nothing"),
    ("ISC", "BSD-2-Clause in fewer words"),
    ("Zlib", "asks for the notice in source form only"),
    ("BSL-1.0", "Boost; asks for the notice in source form only"),
    ("Unicode-3.0", "Unicode's tables; asks for the notice"),
    (
        "Unicode-DFS-2016",
        "Unicode-3.0 under its older name and wording",
    ),
    (
        "CDLA-Permissive-2.0",
        "for data, as root certificates: asks that its text goes along",
    ),
    (
        "CC0-1.0",
        "given to the public domain, with a licence where that is impossible",
    ),
    ("Unlicense", "given to the public domain"),
    // Left out on purpose: MPL-2.0, EPL-2.0 and the LGPL. They are weak copyleft: whoever passes on a program
    // with such code in it must offer that code's source, which a user of ours would not expect.
];

/// `MIT/Apache-2.0`, as Cargo wrote it until 2018, means OR; old names of licences are known so that they
/// are refused for what they are. Names that are no SPDX names at all stay an offence.
const MODE: ParseMode = ParseMode {
    allow_slash_as_or_operator: true,
    allow_deprecated: true,
    ..ParseMode::STRICT
};

/// Prints the packages that are under no permissive licence, or how many are under one.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let metadata = metadata()?;
    let packages = resolved(&metadata)?;
    let offences = offences(&packages);
    for offence in &offences {
        println!("{offence}");
    }
    let count = packages.len();
    if offences.is_empty() {
        println!("{count} packages, all under permissive licences");
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{} of {count} packages are under no permissive licence",
        offences.len()
    );
    Ok(ExitCode::FAILURE)
}

/// From what is on this machine already where that suffices (`cargo fetch` fetches it all).
fn metadata() -> anyhow::Result<Metadata> {
    let mut command = MetadataCommand::new();
    command.features(CargoOpt::AllFeatures);
    command.other_options(vec!["--offline".to_owned()]);
    if let Ok(metadata) = command.exec() {
        return Ok(metadata);
    }
    command.other_options(Vec::new());
    command.exec().context("cargo metadata failed")
}

/// The packages of the resolved graph, members included.
fn resolved(metadata: &Metadata) -> anyhow::Result<Vec<&Package>> {
    let graph = metadata
        .resolve
        .as_ref()
        .context("cargo metadata gave no resolved graph")?;
    let ids: BTreeSet<_> = graph.nodes.iter().map(|node| &node.id).collect();
    Ok(metadata
        .packages
        .iter()
        .filter(|package| ids.contains(&package.id))
        .collect())
}

/// A line for each package that is not shown to be under a permissive licence.
fn offences(packages: &[&Package]) -> Vec<String> {
    let refusals = packages.iter().filter_map(|package| {
        let file = package.license_file.as_ref().map(|file| file.as_str());
        let refusal = refusal(package.license.as_deref(), file)?;
        Some(format!("{} {}: {refusal}", package.name, package.version))
    });
    refusals.collect()
}

/// Why this licence will not do; `None` where it does.
fn refusal(licence: Option<&str>, file: Option<&str>) -> Option<String> {
    let Some(licence) = licence else {
        return Some(match file {
            Some(file) => format!("licence-file {file} and no SPDX expression"),
            None => "no licence".to_owned(),
        });
    };
    match Expression::parse_mode(licence, MODE) {
        Ok(expression) => {
            let permissive = expression.evaluate(|requirement| {
                let name = requirement.to_string();
                PERMISSIVE.iter().any(|(permissive, _)| *permissive == name)
            });
            (!permissive).then(|| licence.to_owned())
        }
        Err(error) => Some(format!("{licence} ({})", error.reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(licence: &str) -> bool {
        refusal(Some(licence), None).is_none()
    }

    #[test]
    fn every_licence_of_the_list_is_an_spdx_name_and_allowed() {
        for (name, why) in PERMISSIVE {
            assert!(
                Expression::parse_mode(name, ParseMode::STRICT).is_ok(),
                "{name}"
            );
            assert!(allowed(name), "{name}");
            assert!(!why.is_empty(), "{name}");
        }
    }

    #[test]
    fn copyleft_is_refused_in_its_own_words() {
        for licence in [
            "GPL-3.0-only",
            "GPL-3.0",
            "AGPL-3.0-or-later",
            "LGPL-2.1-or-later",
            "MPL-2.0",
            "EPL-2.0",
            "CC-BY-SA-4.0",
            "GPL-2.0-only WITH Classpath-exception-2.0",
        ] {
            assert_eq!(refusal(Some(licence), None).as_deref(), Some(licence));
        }
    }

    #[test]
    fn or_needs_one_and_and_needs_all() {
        assert!(allowed("MIT OR GPL-3.0-only"));
        assert!(allowed(
            "LGPL-2.1-or-later OR (Apache-2.0 AND BSD-3-Clause)"
        ));
        assert!(allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!allowed("MIT AND GPL-3.0-only"));
        assert!(!allowed("(MIT OR Apache-2.0) AND MPL-2.0"));
        assert!(!allowed("MPL-2.0 OR GPL-3.0-only"));
    }

    #[test]
    fn an_exception_counts_only_as_it_is_listed() {
        assert!(allowed("Apache-2.0 WITH LLVM-exception"));
        assert!(allowed("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only"));
        assert!(!allowed("MIT WITH LLVM-exception"));
    }

    #[test]
    fn a_slash_is_an_or() {
        assert!(allowed("MIT/Apache-2.0"));
        assert!(allowed("GPL-3.0-only / MIT"));
        assert!(!allowed("GPL-3.0/MPL-2.0"));
    }

    #[test]
    fn what_is_no_spdx_expression_is_refused() {
        for licence in [
            "Mine-1.0",
            "MIT OR",
            "",
            "Apache 2.0",
            "mit",
            "LicenseRef-Mine",
        ] {
            let refusal = refusal(Some(licence), None);
            assert!(
                refusal
                    .as_ref()
                    .is_some_and(|text| text.starts_with(licence)),
                "{refusal:?}"
            );
        }
    }

    #[test]
    fn a_missing_expression_is_refused_with_or_without_a_file() {
        assert_eq!(refusal(None, None).as_deref(), Some("no licence"));
        let file = refusal(None, Some("LICENCE.txt"));
        assert_eq!(
            file.as_deref(),
            Some("licence-file LICENCE.txt and no SPDX expression")
        );
    }

    #[test]
    fn an_expression_counts_whatever_file_is_with_it() {
        assert_eq!(refusal(Some("MIT"), Some("LICENCE.txt")), None);
        assert!(refusal(Some("MPL-2.0"), Some("LICENCE.txt")).is_some());
    }
}
