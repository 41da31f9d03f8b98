//! Questions that are explained on the way, so that one can see how the attention forms: a run of [`spanlift_store`] at each step marked.
//!
//! ```text
//!  DIR/probes/step-0000000/   before the first step
//!  DIR/probes/step-0000200/   behind step 200: run.json, parts/, as `spanlift attribute` writes them
//! ```

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use spanlift::Explainer;
use spanlift::Options;
use spanlift::checkpoint::Checkpoint;
use spanlift_squad::Question;
use spanlift_store::{Asked, Data, Job, Keep, Plan, Run, Selection, StoreError};

use crate::TrainError;

const FOLDER: &str = "probes";
const STEP: &str = "step-";

/// Questions of a part of a run.
const CHUNK: usize = 64;

/// What is explained on the way, as a plan has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbePlan {
    /// The questions.
    pub data: Data,
    /// What the input is compared with.
    pub reference: String,
    /// Steps from one time to the next; also before the first step and behind the last.
    pub every: u64,
}

impl ProbePlan {
    /// Whether the questions are explained behind this step, of so many.
    #[must_use]
    pub fn is_due(&self, step: u64, steps: u64) -> bool {
        step.is_multiple_of(self.every.max(1)) || step == steps
    }
}

/// What is explained on the way.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// The questions of the plan.
    pub questions: &'a [Question],
    /// How they are answered and explained.
    pub options: &'a Options,
}

/// The runs of a training's folder, by step.
///
/// # Errors
///
/// Where the folder cannot be read.
pub fn probes(folder: &Path) -> Result<Vec<(u64, PathBuf)>, TrainError> {
    let path = folder.join(FOLDER);
    let fail = |source| TrainError::Io {
        action: "read",
        path: path.clone(),
        source,
    };
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(fail)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let step = name.strip_prefix(STEP).and_then(|step| step.parse().ok());
        if let Some(step) = step {
            found.push((step, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Explains the questions by the model as it is behind a step. What a run that was killed has done of it is not done again; but where
/// another kind of CPU has since made the step's weights anew, they differ in the last bits, and what is there is theirs no more.
pub(crate) fn explain(
    folder: &Path,
    plan: &ProbePlan,
    probe: Probe<'_>,
    checkpoint: &Checkpoint<f32>,
    values: &[Vec<f32>],
    step: u64,
) -> Result<(), TrainError> {
    let mut hash = Sha256::new();
    for value in values.iter().flatten() {
        hash.update(value.to_le_bytes());
    }
    let hash = hash.finalize();
    let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let explainer = Explainer::new(checkpoint.clone());
    let asked = Asked {
        options: probe.options,
        given: None,
        keep: Keep::default(),
    };
    let all = Selection::default();
    let run = Plan::new(plan.data.clone(), all, &explainer, hash, asked, CHUNK);
    let folder = folder.join(FOLDER).join(format!("{STEP}{step:07}"));
    let mut run = match Run::plan(&folder, run.clone()) {
        Err(StoreError::OtherRun { .. }) => {
            fs::remove_dir_all(&folder).map_err(|source| TrainError::Io {
                action: "removed",
                path: folder.clone(),
                source,
            })?;
            Run::plan(&folder, run)?
        }
        planned => planned?,
    };
    let job = Job::new(&explainer, asked, false, rayon::current_num_threads())?;
    for chunk in run.missing() {
        run.chunk(chunk, probe.questions, &job, &|| ())?;
    }
    run.finish()?;
    Ok(())
}
