//! Which of a repository's files make a checkpoint.

use serde::Deserialize;

use crate::error::HubError;
use crate::name::is_plain;
use crate::{HubName, url::Url};

const MIB: u64 = 1 << 20;
/// The longest list of files of the hub has some megabytes, and so has the longest index.
pub(crate) const LISTING_LIMIT: u64 = 16 * MIB;
/// 64 GiB: a hundred times the largest encoder.
const WEIGHTS_LIMIT: u64 = 64 << 30;

pub(crate) const CONFIG: &str = "config.json";

/// Fetched where they are there, each with the most bytes that it may have: what the loader itself takes.
const SMALL: [(&str, u64); 8] = [
    (CONFIG, 16 * MIB),
    ("tokenizer.json", 256 * MIB),
    ("tokenizer_config.json", 16 * MIB),
    ("vocab.txt", 256 * MIB),
    ("vocab.json", 256 * MIB),
    ("merges.txt", 256 * MIB),
    ("special_tokens_map.json", 16 * MIB),
    ("added_tokens.json", 16 * MIB),
];

/// The first of these that is there holds the weights; an index names the files that do.
const WEIGHTS: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// A file of the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) file: String,
    /// The most bytes it may have.
    pub(crate) limit: u64,
}

/// Where the weights are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weights {
    pub(crate) file: &'static str,
    pub(crate) is_index: bool,
}

impl Weights {
    /// The first form that is there.
    pub(crate) fn find(is_there: impl Fn(&str) -> bool) -> Option<Self> {
        let file = WEIGHTS.into_iter().find(|file| is_there(file))?;
        let is_index = file.ends_with(".index.json");
        Some(Self { file, is_index })
    }

    /// All forms, for an error.
    pub(crate) fn forms() -> String {
        format!("weights: {}", WEIGHTS.join(" or "))
    }

    pub(crate) fn wanted(self) -> Wanted {
        let limit = if self.is_index {
            LISTING_LIMIT
        } else {
            WEIGHTS_LIMIT
        };
        Wanted {
            file: self.file.to_owned(),
            limit,
        }
    }
}

/// A repository at one commit.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) commit: String,
    files: Vec<String>,
}

#[derive(Deserialize)]
struct Info {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

impl Listing {
    pub(crate) fn read(url: &Url, bytes: &[u8]) -> Result<Self, HubError> {
        let wrong = |reason: String| HubError::Listing {
            url: url.to_string(),
            reason,
        };
        let info: Info = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        if !is_commit(&info.sha) {
            return Err(wrong(format!("`sha`: {:?}, no commit", info.sha)));
        }
        Ok(Self {
            commit: info.sha,
            files: info
                .siblings
                .into_iter()
                .map(|sibling| sibling.rfilename)
                .collect(),
        })
    }

    pub(crate) fn has(&self, file: &str) -> bool {
        self.files.iter().any(|name| name == file)
    }

    /// Config and tokenizer.
    pub(crate) fn small(&self, name: &HubName) -> Result<Vec<Wanted>, HubError> {
        if !self.has(CONFIG) {
            return Err(missing(name, CONFIG.to_owned()));
        }
        let there = SMALL.iter().filter(|(file, _)| self.has(file));
        let wanted = there.map(|&(file, limit)| Wanted {
            file: file.to_owned(),
            limit,
        });
        Ok(wanted.collect())
    }

    pub(crate) fn weights(&self, name: &HubName) -> Result<Weights, HubError> {
        Weights::find(|file| self.has(file)).ok_or_else(|| missing(name, Weights::forms()))
    }

    /// The files that an index names; each must be there.
    pub(crate) fn shards(
        &self,
        name: &HubName,
        index: &str,
        bytes: &[u8],
    ) -> Result<Vec<Wanted>, HubError> {
        let shards = shards(name.repository(), index, bytes)?;
        if let Some(absent) = shards.iter().find(|shard| !self.has(shard)) {
            return Err(missing(name, format!("{absent}, which {index} names")));
        }
        let wanted = |file| Wanted {
            file,
            limit: WEIGHTS_LIMIT,
        };
        Ok(shards.into_iter().map(wanted).collect())
    }
}

fn missing(name: &HubName, file: String) -> HubError {
    HubError::NoFile {
        repository: name.repository().to_owned(),
        revision: name.revision().to_owned(),
        file,
    }
}

/// 40 digits, as git writes them.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The names in an index, each once. None leads anywhere but to a file beside it.
pub(crate) fn shards(repository: &str, index: &str, bytes: &[u8]) -> Result<Vec<String>, HubError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let wrong = |reason: String| HubError::Index {
        repository: repository.to_owned(),
        file: index.to_owned(),
        reason,
    };
    let read: Index = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    let mut shards: Vec<String> = read.weight_map.into_values().collect();
    shards.sort();
    shards.dedup();
    if shards.is_empty() {
        return Err(wrong("an empty `weight_map`".to_owned()));
    }
    let ending = if index.starts_with("model.safetensors") {
        ".safetensors"
    } else {
        ".bin"
    };
    match shards.iter().find(|shard| !is_shard(shard, ending)) {
        Some(shard) => Err(HubError::ShardName {
            repository: repository.to_owned(),
            file: index.to_owned(),
            shard: shard.chars().take(200).collect(),
        }),
        None => Ok(shards),
    }
}

/// A name of a file of this format: no path, no drive, nothing hidden, and none of the other files' names.
fn is_shard(name: &str, ending: &str) -> bool {
    name.chars().all(is_plain)
        && !name.starts_with('.')
        && name.len() <= 128
        && name.ends_with(ending)
}
