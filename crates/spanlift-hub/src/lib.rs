//! A checkpoint's files from the [Hugging Face hub](https://huggingface.co), by its name, in a folder.
//!
//! ```text
//! ORG/NAME@REVISION ── name.rs ──> HubName ── client.rs ──> commit, files ── listing.rs ──> those that are wanted
//!                                                                                                |
//!           folder <── cache.rs ── links to the contents <── download.rs ── fetched, verified <──┘
//! ```
//!
//! What is fetched is what a loader reads: config, tokenizer and one form of the weights, safetensors before PyTorch's.
//! Contents stream to disk, a broken download is gone on with (in the same run and in the next), sizes and SHA-256 sums
//! must be those that the hub announced, and the second run asks for no content. The cache is the one that Python's
//! `huggingface_hub` uses: what either has fetched, the other finds.
//!
//! ```no_run
//! # fn main() -> Result<(), spanlift_hub::HubError> {
//! use spanlift_hub::{HubName, Settings, fetch};
//!
//! let name: HubName = "deepset/bert-base-cased-squad2@main".parse()?;
//! let found = fetch(&name, &Settings::from_env()?, &mut |progress| {
//!     eprintln!("{} of {} bytes", progress.done, progress.total);
//! })?;
//! println!("{} is in {}", found.commit, found.folder.display());
//! # Ok(())
//! # }
//! ```
//!
//! A name is checked before anything is asked:
//!
//! ```
//! use spanlift_hub::HubName;
//!
//! let name: HubName = "org/name@v1.0".parse().unwrap();
//! assert_eq!((name.repository(), name.revision()), ("org/name", "v1.0"));
//! assert!("../name".parse::<HubName>().is_err());
//! ```

mod cache;
mod client;
mod download;
mod error;
mod listing;
mod name;
mod settings;
mod url;

pub use error::HubError;
pub use name::HubName;
pub use settings::{Settings, Token};

use std::path::PathBuf;

use cache::Cache;
use client::Client;
use listing::{LISTING_LIMIT, Listing, Wanted};

/// A checkpoint in the cache.
#[derive(Debug)]
pub struct Fetched {
    /// The folder with its files.
    pub folder: PathBuf,
    /// The commit that they are of.
    pub commit: String,
    /// Why the hub could not say whether the revision has moved since: it was not reached, and the cache had it.
    pub unasked: Option<HubError>,
}

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file that is on its way.
    pub file: &'a str,
    /// Bytes that are there, of all files of this run.
    pub done: u64,
    /// Bytes that there will be.
    pub total: u64,
}

/// Brings a checkpoint into the cache, where it is not there already.
///
/// # Errors
///
/// All of [`HubError`]. What has come of a file stays in the cache and is gone on with, but for what was wrong.
pub fn fetch(
    name: &HubName,
    settings: &Settings,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Fetched, HubError> {
    let cache = Cache::new(&settings.cache, name);
    if settings.offline {
        let (folder, commit) = cache.whole()?;
        let unasked = None;
        return Ok(Fetched {
            folder,
            commit,
            unasked,
        });
    }
    let client = Client::new(name, settings)?;
    let (url, bytes) = match client.listing(LISTING_LIMIT) {
        Ok(listed) => listed,
        Err(error) if is_absent(&error) => {
            return match cache.whole() {
                Ok((folder, commit)) => Ok(Fetched {
                    folder,
                    commit,
                    unasked: Some(error),
                }),
                Err(_) => Err(error),
            };
        }
        Err(error) => return Err(error),
    };
    let listing = Listing::read(&url, &bytes)?;
    let commit = &listing.commit;

    let mut wanted = listing.small(name)?;
    let weights = listing.weights(name)?;
    if weights.is_index {
        get(&client, &cache, commit, &[weights.wanted()], &mut |_| {})?;
        let index = cache.read(commit, weights.file)?;
        wanted.extend(listing.shards(name, weights.file, &index)?);
    } else {
        wanted.push(weights.wanted());
    }
    get(&client, &cache, commit, &wanted, progress)?;
    cache.remember(commit)?;
    Ok(Fetched {
        folder: cache.snapshot(commit),
        commit: listing.commit,
        unasked: None,
    })
}

/// The hub is not there, or is not well: no word about the repository.
fn is_absent(error: &HubError) -> bool {
    matches!(
        error,
        HubError::Transport { .. } | HubError::Status { status: 500.., .. }
    )
}

/// Fetches and links those that the commit's folder does not have.
fn get(
    client: &Client<'_>,
    cache: &Cache<'_>,
    commit: &str,
    wanted: &[Wanted],
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), HubError> {
    let mut missing = Vec::new();
    for Wanted { file, limit } in wanted {
        if !cache.has(commit, file) {
            missing.push((file, client.metadata(commit, file, *limit)?));
        }
    }
    let total = missing.iter().map(|(_, of)| of.size).sum();
    let mut before = 0;
    for (file, of) in &missing {
        download::fetch(client, cache, file, of, &mut |came| {
            let done = before + came;
            progress(Progress { file, done, total });
        })?;
        before += of.size;
    }
    // Links last: a folder that has a file has what came before it as well.
    for (file, of) in &missing {
        cache.link(commit, file, &of.etag)?;
    }
    Ok(())
}
