//! From a name to a folder, against a hub on this machine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests panic to fail"
)]

mod server;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use server::{Asked, COMMIT, Fault, REPOSITORY, Repository, SIGNATURE, Server, sha256};
use spanlift_hub::{Fetched, HubError, HubName, Settings, Token, fetch};
use tempfile::TempDir;

/// Longer than a read's buffer, and no part of it like another.
fn weights() -> Vec<u8> {
    (0..50_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// What a repository of a BERT has, and what nobody here wants of it.
fn repository() -> Repository {
    Repository::default()
        .with("config.json", "{}", false)
        .with("tokenizer.json", "{\"a\": 1}", false)
        .with("vocab.txt", "[PAD]\n", false)
        .with("model.safetensors", weights(), true)
        .with("pytorch_model.bin", "not wanted", true)
        .with("README.md", "not wanted", false)
        .with("onnx/model.onnx", "not wanted", true)
        .with("../../escaped", "not wanted", false)
}

struct Desk {
    server: Server,
    settings: Settings,
    folder: TempDir,
}

impl Desk {
    fn new(repository: Repository) -> Self {
        let (server, folder) = (Server::start(repository), TempDir::new().unwrap());
        let settings = Settings {
            endpoint: server.endpoint(),
            cache: folder.path().join("hub"),
            token: None,
            offline: false,
            patience: Duration::from_secs(10),
        };
        Self {
            server,
            settings,
            folder,
        }
    }

    fn fetch_as(&self, name: &str) -> Result<Fetched, HubError> {
        fetch(&name.parse().unwrap(), &self.settings, &mut |_| {})
    }

    fn fetch(&self) -> Result<Fetched, HubError> {
        self.fetch_as(REPOSITORY)
    }

    /// The error, whose text holds no secret.
    fn fails(&self) -> HubError {
        let error = self.fetch().unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("Signature") && !shown.contains("secret"),
            "{shown}"
        );
        error
    }

    /// The contents that were asked for, with the range.
    fn contents(&self) -> Vec<(String, Option<String>)> {
        let asked = self.server.asked().into_iter();
        let contents =
            asked.filter(|asked| asked.method == "GET" && !asked.path.starts_with("/api"));
        contents
            .map(|asked| (file_of(&asked).to_owned(), asked.range))
            .collect()
    }

    fn in_cache(&self, path: &str) -> std::path::PathBuf {
        self.settings.cache.join("models--org--tower").join(path)
    }

    fn partial(&self) -> std::path::PathBuf {
        self.in_cache(&format!("blobs/{}.incomplete", sha256(&weights())))
    }
}

fn file_of(asked: &Asked) -> &str {
    let path = asked.path.split('?').next().unwrap();
    path.rsplit('/').next().unwrap()
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entry = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap())
    };
    fs::read_dir(folder).unwrap().map(entry).collect()
}

#[test]
fn what_a_loader_reads_comes_and_nothing_else() {
    let desk = Desk::new(repository());
    let found = desk.fetch().unwrap();
    assert_eq!(found.commit, COMMIT);
    assert!(found.unasked.is_none());
    assert_eq!(found.folder, desk.in_cache(&format!("snapshots/{COMMIT}")));
    let expected = [
        ("config.json", b"{}".to_vec()),
        ("model.safetensors", weights()),
        ("tokenizer.json", b"{\"a\": 1}".to_vec()),
        ("vocab.txt", b"[PAD]\n".to_vec()),
    ];
    let expected: BTreeMap<_, _> = expected
        .map(|(name, bytes)| (name.to_owned(), bytes))
        .into();
    assert!(files(&found.folder) == expected);
    assert_eq!(
        fs::read_to_string(desk.in_cache("refs/main")).unwrap(),
        COMMIT
    );
    // The names of Python's cache: git's id, and the sum of what is stored apart.
    let blob = desk.in_cache(&format!("blobs/{}", sha256(&weights())));
    assert!(fs::read(blob).unwrap() == weights());
    assert!(!desk.partial().exists());
    assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 1);
}

#[test]
fn a_byte_level_vocabulary_comes_with_its_merges() {
    let repository = Repository::default()
        .with("config.json", "{}", false)
        .with("vocab.json", "{}", false)
        .with("merges.txt", "a b\n", false)
        .with("model.safetensors", weights(), true);
    let desk = Desk::new(repository);
    let found = desk.fetch().unwrap();
    let names: Vec<String> = files(&found.folder).into_keys().collect();
    let expected = [
        "config.json",
        "merges.txt",
        "model.safetensors",
        "vocab.json",
    ];
    assert_eq!(names, expected);
}

#[test]
fn progress_ends_with_all_bytes_and_never_goes_back() {
    let desk = Desk::new(repository());
    let mut seen = Vec::new();
    fetch(&REPOSITORY.parse().unwrap(), &desk.settings, &mut |now| {
        seen.push((now.file.to_owned(), now.done, now.total));
    })
    .unwrap();
    let total = (weights().len() + 2 + 8 + 6) as u64;
    assert!(seen.iter().all(|(_, _, of)| *of == total), "{seen:?}");
    assert!(
        seen.windows(2).all(|pair| pair[0].1 <= pair[1].1),
        "{seen:?}"
    );
    assert_eq!(
        seen.last(),
        Some(&("model.safetensors".to_owned(), total, total))
    );
    assert!(
        seen.len() > 8,
        "the weights come in several steps: {seen:?}"
    );
}

#[test]
fn the_second_run_asks_for_no_content() {
    let desk = Desk::new(repository());
    desk.fetch().unwrap();
    assert_eq!(desk.contents().len(), 4 + 1, "one redirected");
    let again = desk.fetch().unwrap();
    let asked = desk.server.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].path, "/api/models/org/tower/revision/main");
    assert!(again.unasked.is_none());
    assert_eq!(files(&again.folder).len(), 4);
}

#[test]
fn a_content_of_another_revision_is_not_fetched_again() {
    let desk = Desk::new(repository());
    desk.fetch().unwrap();
    fs::remove_dir_all(desk.in_cache("snapshots")).unwrap();
    desk.server.asked();
    let again = desk.fetch().unwrap();
    assert_eq!(desk.contents(), []);
    assert!(files(&again.folder)["model.safetensors"] == weights());
}

#[test]
fn a_removed_content_comes_again() {
    let desk = Desk::new(repository());
    let found = desk.fetch().unwrap();
    desk.server.asked();
    fs::remove_file(desk.in_cache(&format!("blobs/{}", sha256(&weights())))).unwrap();
    desk.fetch().unwrap();
    assert_eq!(
        desk.contents(),
        vec![("model.safetensors".to_owned(), None); 2]
    );
    assert!(files(&found.folder)["model.safetensors"] == weights());
}

#[cfg(unix)]
#[test]
fn a_link_to_nowhere_is_replaced() {
    let desk = Desk::new(repository());
    let found = desk.fetch().unwrap();
    let link = found.folder.join("vocab.txt");
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("../../blobs/gone", &link).unwrap();
    desk.fetch().unwrap();
    assert_eq!(fs::read(&link).unwrap(), b"[PAD]\n");
}

#[test]
fn a_revision_may_be_a_branch_with_a_slash_or_a_commit() {
    let desk = Desk::new(repository());
    desk.fetch_as("org/tower@refs/pr/1").unwrap();
    assert_eq!(
        desk.server.asked()[0].path,
        "/api/models/org/tower/revision/refs%2Fpr%2F1"
    );
    assert_eq!(
        fs::read_to_string(desk.in_cache("refs/refs/pr/1")).unwrap(),
        COMMIT
    );
    let name = format!("org/tower@{COMMIT}");
    desk.fetch_as(&name).unwrap();
    assert!(!desk.in_cache(&format!("refs/{COMMIT}")).exists());
}

#[test]
fn shards_come_with_their_index_in_place_of_one_file() {
    let index = r#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"}}"#;
    let sharded = Repository::default()
        .with("config.json", "{}", false)
        .with("model.safetensors.index.json", index, false)
        .with("model-1.safetensors", "one", true)
        .with("model-2.safetensors", "two", true)
        .with("pytorch_model.bin", "not wanted", true);
    let mut desk = Desk::new(sharded);
    let found = desk.fetch().unwrap();
    let names: Vec<String> = files(&found.folder).into_keys().collect();
    let expected = [
        "config.json",
        "model-1.safetensors",
        "model-2.safetensors",
        "model.safetensors.index.json",
    ];
    assert_eq!(names, expected);
    desk.server.asked();
    desk.fetch().unwrap();
    assert_eq!(desk.server.asked().len(), 1);
    desk.settings.offline = true;
    desk.fetch().unwrap();
    fs::remove_file(found.folder.join("model-2.safetensors")).unwrap();
    let error = desk.fails();
    assert!(
        matches!(&error, HubError::NotCached { missing, .. } if missing == "model-2.safetensors"),
        "{error}"
    );
}

#[test]
fn pytorchs_weights_come_where_there_are_no_others() {
    let index = r#"{"weight_map": {"a": "pytorch_model-1.bin"}}"#;
    let base = Repository::default().with("config.json", "{}", false);
    let sharded = base
        .clone()
        .with("pytorch_model.bin.index.json", index, false)
        .with("pytorch_model-1.bin", "one", true);
    let single = base.with("pytorch_model.bin", "all", true);
    for (repository, expected) in [
        (
            sharded,
            &[
                "config.json",
                "pytorch_model-1.bin",
                "pytorch_model.bin.index.json",
            ][..],
        ),
        (single, &["config.json", "pytorch_model.bin"]),
    ] {
        let found = Desk::new(repository).fetch_names();
        assert_eq!(found, expected);
    }
}

impl Desk {
    fn fetch_names(&self) -> Vec<String> {
        files(&self.fetch().unwrap().folder).into_keys().collect()
    }
}

#[test]
fn a_cut_download_is_gone_on_with_in_the_same_run() {
    let desk = Desk::new(repository());
    let cut = Fault::Cut {
        times: 2,
        after: 70_000,
    };
    desk.server.change(|repository| {
        repository
            .faults
            .insert("model.safetensors".to_owned(), cut);
    });
    let found = desk.fetch().unwrap();
    assert!(files(&found.folder)["model.safetensors"] == weights());
    let ranges: Vec<_> = desk
        .server
        .asked()
        .into_iter()
        .filter(|asked| asked.at_storage)
        .collect();
    let ranges: Vec<_> = ranges.iter().map(|asked| asked.range.as_deref()).collect();
    assert_eq!(ranges, [None, Some("bytes=70000-"), Some("bytes=140000-")]);
}

#[test]
fn a_connection_that_breaks_again_and_again_is_an_error_and_the_next_run_goes_on() {
    let desk = Desk::new(repository());
    let cut = Fault::Cut {
        times: 5,
        after: 10_000,
    };
    desk.server.change(|repository| {
        repository
            .faults
            .insert("model.safetensors".to_owned(), cut);
    });
    let error = desk.fails();
    let HubError::Cut {
        expected, got, url, ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!((*expected, *got), (200_000, 50_000));
    assert!(url.ends_with("/model.safetensors"), "{url}");
    assert!(
        error
            .to_string()
            .contains("expected 200000 bytes, got 50000"),
        "{error}"
    );
    // The folder has none of it yet.
    assert!(!desk.in_cache(&format!("snapshots/{COMMIT}")).exists());
    assert_eq!(fs::metadata(desk.partial()).unwrap().len(), 50_000);
    desk.server.asked();
    let found = desk.fetch().unwrap();
    let range = Some("bytes=50000-".to_owned());
    assert_eq!(
        desk.contents(),
        vec![("model.safetensors".to_owned(), range); 2]
    );
    assert!(files(&found.folder)["model.safetensors"] == weights());
}

#[test]
fn a_server_that_falls_silent_is_not_waited_for() {
    let mut desk = Desk::new(repository());
    desk.settings.patience = Duration::from_millis(100);
    desk.server.change(|repository| {
        repository
            .faults
            .insert("model.safetensors".to_owned(), Fault::Silent);
    });
    let error = desk.fails();
    let (HubError::Cut { source, .. } | HubError::Transport { source, .. }) = &error else {
        panic!("{error}");
    };
    // Not the server's end of it, which comes after six times that long.
    assert!(source.to_string().contains("timeout"), "{source}");
}

#[test]
fn a_server_without_parts_gives_all_of_it_again() {
    for fault in [Fault::NoRanges, Fault::NoPart] {
        let desk = Desk::new(repository());
        fs::create_dir_all(desk.in_cache("blobs")).unwrap();
        fs::write(desk.partial(), [7; 1000]).unwrap();
        desk.server.change(|repository| {
            repository
                .faults
                .insert("model.safetensors".to_owned(), fault);
        });
        let found = desk.fetch().unwrap();
        assert!(files(&found.folder)["model.safetensors"] == weights());
    }
}

#[test]
fn what_is_too_long_on_disk_is_begun_again() {
    let desk = Desk::new(repository());
    fs::create_dir_all(desk.in_cache("blobs")).unwrap();
    fs::write(desk.partial(), vec![7; 200_001]).unwrap();
    let found = desk.fetch().unwrap();
    let weights_asked = desk
        .contents()
        .into_iter()
        .filter(|(file, _)| file == "model.safetensors");
    assert!(weights_asked.map(|(_, range)| range).eq([None, None]));
    assert!(files(&found.folder)["model.safetensors"] == weights());
}

#[test]
fn another_content_than_announced_is_removed() {
    let desk = Desk::new(repository());
    desk.server.change(|repository| {
        repository
            .faults
            .insert("model.safetensors".to_owned(), Fault::Altered);
    });
    let error = desk.fails();
    let HubError::Checksum { expected, got, .. } = &error else {
        panic!("{error}");
    };
    let mut altered = weights();
    altered[0] ^= 1;
    assert_eq!((expected, got), (&sha256(&weights()), &sha256(&altered)));
    assert!(error.to_string().contains(&sha256(&weights())), "{error}");
    assert!(!desk.partial().exists());
    assert!(!desk.in_cache(&format!("snapshots/{COMMIT}")).exists());
    // Nothing of it is left for the next run.
    desk.server.change(|repository| repository.faults.clear());
    assert!(files(&desk.fetch().unwrap().folder)["model.safetensors"] == weights());
}

#[test]
fn a_broken_beginning_from_an_earlier_run_is_found_out() {
    let desk = Desk::new(repository());
    fs::create_dir_all(desk.in_cache("blobs")).unwrap();
    fs::write(desk.partial(), [7; 1000]).unwrap();
    assert!(matches!(desk.fails(), HubError::Checksum { .. }));
    assert!(files(&desk.fetch().unwrap().folder)["model.safetensors"] == weights());
}

#[test]
fn another_length_than_announced_is_refused() {
    for (fault, file, expected, got) in [
        (Fault::Longer, "vocab.txt", 6, 7),
        (Fault::OtherLength, "vocab.txt", 6, 7),
        (Fault::OtherLength, "model.safetensors", 200_000, 200_001),
    ] {
        let desk = Desk::new(repository());
        desk.server.change(|repository| {
            repository.faults.insert(file.to_owned(), fault);
        });
        let error = desk.fails();
        let HubError::Size {
            expected: e,
            got: g,
            url,
        } = &error
        else {
            panic!("{error}");
        };
        assert_eq!((*e, *g), (expected, got));
        assert!(url.ends_with(file), "{url}");
    }
}

#[test]
fn the_token_is_for_the_hub_and_not_for_its_storage() {
    let mut desk = Desk::new(repository());
    desk.server
        .change(|repository| repository.token = Some("hf_secret".to_owned()));
    let error = desk.fails();
    assert!(
        matches!(
            error,
            HubError::Denied {
                status: 401,
                token: false,
                gated: false,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("set HF_TOKEN"), "{error}");
    desk.settings.token = Token::new("hf_secret_of_another");
    let error = desk.fails();
    assert!(
        matches!(
            error,
            HubError::Denied {
                status: 401,
                token: true,
                ..
            }
        ),
        "{error}"
    );
    desk.settings.token = Token::new("hf_secret");
    desk.server.asked();
    desk.fetch().unwrap();
    let (storage, hub): (Vec<_>, Vec<_>) = desk
        .server
        .asked()
        .into_iter()
        .partition(|asked| asked.at_storage);
    let seen = Some("Bearer hf_secret".to_owned());
    assert!(
        hub.len() > 5 && hub.iter().all(|asked| asked.authorization == seen),
        "{hub:?}"
    );
    assert!(
        storage.len() == 1 && storage[0].authorization.is_none(),
        "{storage:?}"
    );
    assert!(storage[0].path.ends_with(SIGNATURE));
    assert!(!format!("{:?}", desk.settings).contains("secret"));
}

#[test]
fn each_refusal_of_the_hub_is_told_by_its_name() {
    let code = |code: &str| vec![("X-Error-Code", code.to_owned())];
    let desk = Desk::new(repository());
    let refused = |status, headers| {
        desk.server
            .change(|repository| repository.refusal = Some((status, headers)));
        desk.fails()
    };
    let error = refused(404, code("RepoNotFound"));
    assert!(
        matches!(error, HubError::NoRepository { status: 404, .. }),
        "{error}"
    );
    let error = refused(404, vec![]);
    assert!(
        matches!(error, HubError::NoRepository { status: 404, .. }),
        "{error}"
    );
    let error = refused(403, code("GatedRepo"));
    assert!(
        matches!(
            error,
            HubError::Denied {
                status: 403,
                gated: true,
                ..
            }
        ),
        "{error}"
    );
    let error = refused(429, vec![("X-Error-Message", "slow down".to_owned())]);
    let text = error.to_string();
    assert!(
        matches!(error, HubError::Status { status: 429, .. }),
        "{error}"
    );
    assert!(
        text.ends_with("/revision/main: expected a file, got status 429: slow down"),
        "{text}"
    );
    let error = refused(500, vec![]);
    assert!(
        matches!(error, HubError::Status { status: 500, .. }),
        "{error}"
    );
    let error = refused(302, vec![("Location", "ftp://elsewhere/".to_owned())]);
    assert!(matches!(error, HubError::Redirect { .. }), "{error}");
    let error = refused(302, vec![]);
    assert!(matches!(error, HubError::Redirect { .. }), "{error}");
    let error = refused(307, vec![("Location", "/round?Signature".to_owned())]);
    assert!(
        matches!(
            error,
            HubError::Redirect {
                expected: "at most 10 redirects",
                ..
            }
        ),
        "{error}"
    );

    let error = desk.fetch_as("org/bridge").unwrap_err();
    assert!(matches!(error, HubError::Redirect { .. }), "{error}");
    desk.server.change(|repository| repository.refusal = None);
    let error = desk.fetch_as("org/bridge").unwrap_err();
    assert!(
        matches!(&error, HubError::NoRepository { repository, .. } if repository == "org/bridge"),
        "{error}"
    );
    let error = desk.fetch_as("org/tower@v9").unwrap_err();
    assert!(
        matches!(&error, HubError::NoRevision { revision, .. } if revision == "v9"),
        "{error}"
    );
}

#[test]
fn a_repository_without_a_checkpoint_is_refused_by_what_is_missing() {
    let no_config = Repository::default().with("model.safetensors", "x", true);
    let no_weights =
        Repository::default()
            .with("config.json", "{}", false)
            .with("tf_model.h5", "x", true);
    let index = r#"{"weight_map": {"a": "model-1.safetensors"}}"#;
    let no_shard = Repository::default().with("config.json", "{}", false).with(
        "model.safetensors.index.json",
        index,
        false,
    );
    for (repository, expected) in [
        (no_config, "expected config.json, got no such file"),
        (
            no_weights,
            "expected weights: model.safetensors or model.safetensors.index.json or",
        ),
        (
            no_shard,
            "expected model-1.safetensors, which model.safetensors.index.json names",
        ),
    ] {
        let error = Desk::new(repository).fails();
        assert!(matches!(error, HubError::NoFile { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    // Listed, and yet not there.
    let desk = Desk::new(repository());
    desk.server.change(|repository| {
        repository
            .faults
            .insert("vocab.txt".to_owned(), Fault::Gone);
    });
    let error = desk.fails();
    assert!(
        matches!(&error, HubError::NoFile { file, .. } if file == "vocab.txt"),
        "{error}"
    );
}

#[test]
fn a_shards_name_stays_beside_its_index() {
    for shard in [
        "../../../../escaped.safetensors",
        "/escaped.safetensors",
        "C:escaped.safetensors",
        "..\\escaped.safetensors",
        "sub/model.safetensors",
        ".safetensors",
        "config.json",
        "model.bin",
        "",
        "a b.safetensors",
        "a\u{0}.safetensors",
    ] {
        let index = serde_json::json!({ "weight_map": { "a": shard } }).to_string();
        let desk = Desk::new(
            Repository::default()
                .with("config.json", "{}", false)
                .with("model.safetensors.index.json", index, false)
                .with("../../../../escaped.safetensors", "x", false),
        );
        let error = desk.fails();
        assert!(
            matches!(&error, HubError::ShardName { shard: s, .. } if s == shard),
            "{error}"
        );
        assert_eq!(desk.contents().len(), 1, "the index alone");
        assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn an_index_that_is_none_is_refused() {
    for index in [
        "",
        "[]",
        "{}",
        r#"{"weight_map": {}}"#,
        r#"{"weight_map": {"a": 1}}"#,
    ] {
        let error = Desk::new(Repository::default().with("config.json", "{}", false).with(
            "model.safetensors.index.json",
            index,
            false,
        ))
        .fails();
        assert!(matches!(error, HubError::Index { .. }), "{error}");
    }
}

#[test]
fn a_listing_that_is_none_is_refused() {
    let long = vec![b' '; (16 << 20) + 1];
    for (listing, is_long) in [
        (b"<html>".to_vec(), false),
        (b"{}".to_vec(), false),
        (br#"{"sha": "../../../x", "siblings": []}"#.to_vec(), false),
        (
            br#"{"sha": "0123456789ABCDEF0123456789abcdef01234567", "siblings": []}"#.to_vec(),
            false,
        ),
        (long, true),
    ] {
        let desk = Desk::new(repository());
        desk.server
            .change(|repository| repository.listing = Some(listing));
        let error = desk.fails();
        match is_long {
            true => assert!(
                matches!(
                    error,
                    HubError::TooLarge {
                        limit: 0x100_0000,
                        got: 0x100_0001,
                        ..
                    }
                ),
                "{error}"
            ),
            false => assert!(matches!(error, HubError::Listing { .. }), "{error}"),
        }
        assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn what_the_hub_says_of_a_file_is_checked_before_it_is_fetched() {
    let etag = || ("ETag", "\"abc\"".to_owned());
    let size = |size: &str| ("Content-Length", size.to_owned());
    let desk = Desk::new(repository());
    let said = |headers| {
        desk.server
            .change(|repository| repository.head = Some(headers));
        desk.fails()
    };
    for headers in [
        vec![size("2")],
        vec![("ETag", "\"../../x\"".to_owned()), size("2")],
        vec![("ETag", "\"\"".to_owned()), size("2")],
    ] {
        let error = said(headers);
        assert!(
            matches!(error, HubError::Header { header: "ETag", .. }),
            "{error}"
        );
    }
    let error = said(vec![etag()]);
    assert!(
        matches!(
            error,
            HubError::Header {
                header: "Content-Length",
                ..
            }
        ),
        "{error}"
    );
    let error = said(vec![etag(), size("16777217")]);
    assert!(
        matches!(
            error,
            HubError::TooLarge {
                limit: 16_777_216,
                got: 16_777_217,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(desk.contents(), []);
    assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 0);
}

#[test]
fn offline_takes_the_cache_and_asks_nothing() {
    let mut desk = Desk::new(repository());
    desk.settings.offline = true;
    let error = desk.fails();
    assert!(
        matches!(&error, HubError::NotCached { missing, .. } if missing == "commit of that name"),
        "{error}"
    );
    assert_eq!(desk.server.asked(), []);
    desk.settings.offline = false;
    let online = desk.fetch().unwrap();
    desk.settings.offline = true;
    desk.server.asked();
    let offline = desk.fetch().unwrap();
    assert_eq!(
        (offline.folder, offline.commit),
        (online.folder.clone(), online.commit)
    );
    let name = format!("org/tower@{COMMIT}");
    assert_eq!(desk.fetch_as(&name).unwrap().folder, online.folder);
    assert!(matches!(
        desk.fetch_as("org/tower@v9"),
        Err(HubError::NotCached { .. })
    ));
    for file in ["model.safetensors", "config.json"] {
        fs::remove_file(online.folder.join(file)).unwrap();
        let error = desk.fails();
        assert!(
            matches!(&error, HubError::NotCached { missing, .. } if missing.contains(file)),
            "{error}"
        );
    }
    assert_eq!(desk.server.asked(), []);
}

#[test]
fn a_hub_that_is_not_there_is_an_error_or_leaves_it_to_the_cache() {
    let mut desk = Desk::new(repository());
    let there = desk.settings.endpoint.clone();
    // Bound and let go: nobody listens there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    desk.settings.endpoint = format!("http://{nobody}");
    let error = desk.fails();
    assert!(matches!(error, HubError::Transport { .. }), "{error}");
    desk.settings.endpoint = there;
    let online = desk.fetch().unwrap();
    desk.settings.endpoint = format!("http://{nobody}");
    let cached = desk.fetch().unwrap();
    assert_eq!(cached.folder, online.folder);
    assert!(matches!(cached.unasked, Some(HubError::Transport { .. })));
    // A hub that says no has said something: the cache is no way round it.
    desk.settings.endpoint = desk.server.endpoint();
    desk.server
        .change(|repository| repository.refusal = Some((403, vec![])));
    assert!(matches!(desk.fails(), HubError::Denied { .. }));
}

#[test]
fn an_endpoint_that_is_no_address_is_refused_without_its_secrets() {
    let mut desk = Desk::new(repository());
    for endpoint in [
        "",
        "huggingface.co",
        "https://user:secret@127.0.0.1/",
        "ftp://a",
    ] {
        desk.settings.endpoint = endpoint.to_owned();
        let error = desk.fails();
        assert!(
            matches!(
                error,
                HubError::Setting {
                    variable: "HF_ENDPOINT",
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let mut desk = Desk::new(repository());
    let file = desk.folder.path().join("file");
    fs::write(&file, "").unwrap();
    desk.settings.cache = file;
    let error = desk.fails();
    assert!(
        matches!(&error, HubError::Write { path, .. } if path.starts_with(desk.folder.path())),
        "{error}"
    );
}

#[test]
fn two_runs_at_once_fetch_a_content_once() {
    let desk = Desk::new(repository());
    let name: HubName = REPOSITORY.parse().unwrap();
    std::thread::scope(|scope| {
        let run = || fetch(&name, &desk.settings, &mut |_| {}).unwrap();
        let runs = [scope.spawn(run), scope.spawn(run)];
        for run in runs {
            let found = run.join().unwrap();
            assert!(files(&found.folder)["model.safetensors"] == weights());
        }
    });
    let asked = desk.server.asked();
    assert_eq!(asked.iter().filter(|asked| asked.at_storage).count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the hub lists or an index names: an error or a folder, and nothing outside the cache.
    #[test]
    fn no_answer_of_the_hub_leads_out_of_the_cache(
        listing in prop_oneof![
            any::<Vec<u8>>(),
            ("[./a-f0-9]{0,44}", "\\PC{0,20}").prop_map(|(sha, file)| {
                serde_json::json!({ "sha": sha, "siblings": [
                    { "rfilename": "config.json" }, { "rfilename": "model.safetensors.index.json" },
                    { "rfilename": file } ] }).to_string().into_bytes()
            }),
        ],
        shard in "[./\\\\a-z:]{0,12}",
    ) {
        let index = serde_json::json!({ "weight_map": { "a": shard } }).to_string();
        let desk = Desk::new(
            Repository::default()
                .with("config.json", "{}", false)
                .with("model.safetensors.index.json", index, false),
        );
        desk.server.change(|repository| repository.listing = Some(listing));
        let _ = desk.fetch();
        for entry in fs::read_dir(desk.folder.path()).unwrap() {
            prop_assert_eq!(entry.unwrap().file_name(), "hub");
        }
    }
}
