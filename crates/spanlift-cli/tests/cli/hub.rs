//! Models of the hub, from a hub on this machine.

use std::fs;
use std::path::Path;

use assert_cmd::Command;

use crate::desk::{Desk, PASSAGE, QUESTION, Ran};
use server::{COMMIT, Fault, REPOSITORY, Repository, Server};

/// The same hub that the library's own tests ask.
#[path = "../../../spanlift-hub/tests/server/mod.rs"]
#[allow(dead_code, reason = "those tests let more go wrong")]
mod server;

/// The tiny model, its weights stored apart as the hub does, and what is not to be fetched.
fn repository() -> Repository {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spanlift/tests/oracle/two-layers");
    let mut repository = Repository::default().with("pytorch_model.bin", "not wanted", true);
    for (file, is_lfs) in [
        ("config.json", false),
        ("model.safetensors", true),
        ("tokenizer_config.json", false),
        ("vocab.txt", false),
    ] {
        repository = repository.with(file, fs::read(folder.join(file)).unwrap(), is_lfs);
    }
    repository
}

/// A desk whose program knows this hub alone, with its cache in the folder `hf`.
struct HubDesk {
    desk: Desk,
    server: Server,
}

impl HubDesk {
    fn new() -> Self {
        let (desk, server) = (Desk::new(), Server::start(repository()));
        Self { desk, server }
    }

    fn command(&self, model: &str, more: &[&str]) -> Command {
        let ask = [
            "explain",
            QUESTION,
            "--passage",
            "tower.txt",
            "--model",
            model,
        ];
        let mut command = self.desk.command(&[&ask[..], more].concat());
        for name in [
            "HF_HUB_CACHE",
            "HUGGINGFACE_HUB_CACHE",
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "HF_TOKEN_PATH",
            "HF_HUB_OFFLINE",
            "TRANSFORMERS_OFFLINE",
        ] {
            command.env_remove(name);
        }
        command.env("HF_ENDPOINT", self.server.endpoint());
        command.env("HF_HOME", self.desk.path("hf"));
        command
    }

    fn run(&self, model: &str, more: &[&str]) -> Ran {
        Ran::of(self.command(model, more).output().unwrap())
    }
}

#[test]
fn a_model_of_the_hub_answers_as_the_folder_does_and_bears_its_name() {
    let hub = HubDesk::new();
    let ran = hub.run(REPOSITORY, &["-o", "hub.json"]).succeeded();
    let bytes: usize = [
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.txt",
    ]
    .map(|file| hub.desk.read(&format!("model/{file}")).len())
    .iter()
    .sum();
    assert_eq!(bytes, 30_787);
    assert_eq!(ran.stderr, "note: downloading `org/tower`, 30.79 kB\n");
    let mut found = hub.desk.read_explanation("hub.json");
    assert_eq!(found.model.name, REPOSITORY);
    found.model.name = "model".to_owned();
    assert!(found == hub.desk.explanation(&[]));
    assert_eq!(found.passage, PASSAGE);

    let snapshot = format!("hf/hub/models--org--tower/snapshots/{COMMIT}");
    assert!(hub.desk.path(&snapshot).join("model.safetensors").is_file());
    assert!(!hub.desk.path(&snapshot).join("pytorch_model.bin").exists());

    // The second run, and one that may not ask.
    hub.server.asked();
    let again = hub.run(REPOSITORY, &[]).succeeded();
    assert_eq!(hub.server.asked().len(), 1);
    assert_eq!((again.stderr.as_str(), &again.stdout), ("", &ran.stdout));
    hub.run(REPOSITORY, &["--offline"]).succeeded();
    let offline = hub
        .command(REPOSITORY, &[])
        .env("HF_HUB_OFFLINE", "1")
        .output();
    Ran::of(offline.unwrap()).succeeded();
    assert_eq!(hub.server.asked(), []);
}

#[test]
fn a_revision_stands_behind_the_name() {
    let hub = HubDesk::new();
    let model = format!("{REPOSITORY}@{COMMIT}");
    hub.run(&model, &["-o", "hub.json"]).succeeded();
    assert_eq!(hub.desk.read_explanation("hub.json").model.name, model);
    let ran = hub.run("org/tower@v9", &[]);
    ran.refused(&["`org/tower`: no such revision as `v9`"]);
}

#[test]
fn a_folder_of_that_name_wins() {
    let hub = HubDesk::new();
    fs::create_dir(hub.desk.path("org")).unwrap();
    fs::rename(hub.desk.path("model"), hub.desk.path("org/tower")).unwrap();
    hub.run(REPOSITORY, &["-o", "folder.json"]).succeeded();
    assert_eq!(hub.server.asked(), []);
    assert_eq!(hub.desk.read_explanation("folder.json").model.name, "tower");
}

#[test]
fn what_is_neither_is_refused_with_both_readings() {
    let hub = HubDesk::new();
    let ran = hub.run("org/bridge", &[]);
    ran.refused(&[
        "--model: there is no folder `org/bridge`",
        "from the hub: `org/bridge`: no such repository",
    ]);
    hub.server.asked();
    for model in [
        "bridge",
        "./org/tower",
        "models/org/tower",
        "../tower",
        "/org/tower",
    ] {
        let ran = hub.run(model, &[]);
        let folder = format!("--model: there is no folder `{model}`");
        ran.refused(&[&folder, "is no name on the hub", "ORG/NAME@REVISION"]);
    }
    let ran = hub.run(REPOSITORY, &["--offline"]);
    ran.refused(&["`org/tower` at `main`", "(offline)"]);
    assert_eq!(hub.server.asked(), []);
    assert!(!hub.desk.path("hf").exists());
}

#[test]
fn a_token_opens_a_private_model_and_is_never_printed() {
    let hub = HubDesk::new();
    hub.server
        .change(|repository| repository.token = Some("hf_right".to_owned()));
    hub.run(REPOSITORY, &[])
        .refused(&["set HF_TOKEN", "answered 401"]);
    let wrong = hub
        .command(REPOSITORY, &[])
        .env("HF_TOKEN", "hf_wrong")
        .output();
    let wrong = Ran::of(wrong.unwrap());
    wrong.refused(&["the token that was sent is not valid"]);
    assert!(!wrong.stderr.contains("hf_wrong"), "{}", wrong.stderr);
    fs::create_dir(hub.desk.path("hf")).unwrap();
    hub.desk.write("hf/token", "hf_right\n");
    hub.run(REPOSITORY, &[]).succeeded();
}

#[test]
fn a_broken_download_leaves_no_model_and_the_next_run_goes_on() {
    let hub = HubDesk::new();
    let cut = Fault::Cut {
        times: 5,
        after: 1000,
    };
    hub.server.change(|repository| {
        repository
            .faults
            .insert("model.safetensors".to_owned(), cut);
    });
    hub.run(REPOSITORY, &[])
        .refused(&["the connection broke", "expected 29960 bytes, got 5000"]);
    hub.server.asked();
    hub.run(REPOSITORY, &[]).succeeded();
    let asked = hub.server.asked();
    let ranges: Vec<_> = asked
        .iter()
        .filter(|asked| asked.at_storage)
        .map(|asked| asked.range.as_deref())
        .collect();
    assert_eq!(ranges, [Some("bytes=5000-")]);
}

#[test]
fn altered_weights_are_removed() {
    let hub = HubDesk::new();
    hub.server.change(|repository| {
        repository
            .faults
            .insert("model.safetensors".to_owned(), Fault::Altered);
    });
    hub.run(REPOSITORY, &[])
        .refused(&["expected content of SHA-256", "got", "removed"]);
    hub.server.change(|repository| repository.faults.clear());
    hub.run(REPOSITORY, &[]).succeeded();
}

#[test]
fn a_hub_that_is_away_leaves_it_to_the_cache_with_a_note() {
    let hub = HubDesk::new();
    hub.run(REPOSITORY, &[]).succeeded();
    hub.server
        .change(|repository| repository.refusal = Some((503, vec![])));
    let ran = hub.run(REPOSITORY, &[]).succeeded();
    assert!(
        ran.stderr
            .starts_with("note: `org/tower` is the cached copy, commit 0123456789"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("status 503"), "{}", ran.stderr);
}

#[test]
fn a_model_of_another_kind_is_refused_by_its_name() {
    let hub = HubDesk::new();
    hub.server.change(|repository| {
        let config = repository.files.get_mut("config.json").unwrap();
        config.bytes = br#"{"model_type": "llama"}"#.to_vec();
    });
    hub.run(REPOSITORY, &[])
        .refused(&["--model: `org/tower`", "`model_type`", "llama"]);
}
