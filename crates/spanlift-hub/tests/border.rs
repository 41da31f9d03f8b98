//! What is typed and what the environment says, before anything is asked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests panic to fail"
)]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use spanlift_hub::{HubError, HubName, Settings, Token};
use tempfile::TempDir;

fn settings(home: &Path, variables: &[(&str, &str)]) -> Result<Settings, HubError> {
    Settings::from_variables(Some(home.to_owned()), |name| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| OsString::from(value))
    })
}

#[test]
fn a_name_has_an_organisation_a_name_and_perhaps_a_revision() {
    for (text, repository, revision) in [
        (
            "deepset/bert-base-cased-squad2",
            "deepset/bert-base-cased-squad2",
            "main",
        ),
        ("a/b_c.d@v1.0", "a/b_c.d", "v1.0"),
        ("a/b@refs/pr/1", "a/b", "refs/pr/1"),
        ("a/b@1.0+cpu", "a/b", "1.0+cpu"),
    ] {
        let name: HubName = text.parse().unwrap();
        assert_eq!((name.repository(), name.revision()), (repository, revision));
        assert_eq!(name.to_string(), text);
    }
    let main: HubName = "a/b@main".parse().unwrap();
    assert_eq!(main.to_string(), "a/b");
}

#[test]
fn what_is_no_name_is_refused_with_the_reason() {
    let long = format!("{}/b", "a".repeat(95));
    let branch = format!("a/b@{}", "c".repeat(256));
    for (text, reason) in [
        ("", "parts"),
        ("bert", "parts"),
        ("a/b/c", "parts"),
        ("/b", "parts"),
        ("a/", "parts"),
        ("/a/b", "parts"),
        ("@main", "parts"),
        ("./b", "at an end"),
        ("../b", "at an end"),
        ("a/..", "at an end"),
        ("a/b..c", "twice"),
        ("a/b--c", "twice"),
        ("-a/b", "at an end"),
        ("a/b.", "at an end"),
        ("~/b", "another character"),
        ("a/b c", "another character"),
        ("a\\b/c", "another character"),
        ("C:/b", "another character"),
        ("a/bé", "another character"),
        ("a/b%2F", "another character"),
        ("a/b?x", "another character"),
        (&long, "96"),
        ("a/b@", "revision of no"),
        (&branch, "255"),
        ("a/b@../../x", "an empty part"),
        ("a/b@x/../y", "an empty part"),
        ("a/b@/x", "an empty part"),
        ("a/b@x//y", "an empty part"),
        ("a/b@.hidden", "an empty part"),
        ("a/b@x\\y", "other characters"),
        ("a/b@x y", "other characters"),
        ("a/b@c@d", "other characters"),
    ] {
        let error = text.parse::<HubName>().unwrap_err();
        assert!(
            matches!(&error, HubError::Name { name, .. } if name == text),
            "{error}"
        );
        assert!(error.to_string().contains(reason), "{error}");
    }
}

proptest! {
    /// A name that passes joins to a path below any folder.
    #[test]
    fn no_name_leads_out_of_a_folder(text in "[a-z./\\\\@:~+-]{0,14}") {
        if let Ok(name) = text.parse::<HubName>() {
            for part in [name.repository(), name.revision()] {
                let path = PathBuf::from(part);
                prop_assert!(path.components().all(|c| matches!(c, std::path::Component::Normal(_))));
                prop_assert!(!part.contains(['\\', ':', '~', '@']));
            }
        }
    }
}

#[test]
fn the_cache_is_where_python_has_it() {
    let home = TempDir::new().unwrap();
    let at = |variables: &[(&str, &str)]| {
        let cache = settings(home.path(), variables).unwrap().cache;
        match cache.strip_prefix(home.path()) {
            Ok(below) => format!("~/{}", below.display()),
            Err(_) => cache.display().to_string(),
        }
    };
    assert_eq!(at(&[]), "~/.cache/huggingface/hub");
    let mut variables = vec![("XDG_CACHE_HOME", "/x")];
    assert_eq!(at(&variables), "/x/huggingface/hub");
    variables.push(("HF_HOME", "~/hf"));
    assert_eq!(at(&variables), "~/hf/hub");
    variables.push(("HUGGINGFACE_HUB_CACHE", "/old"));
    assert_eq!(at(&variables), "/old");
    variables.push(("HF_HUB_CACHE", "/new"));
    assert_eq!(at(&variables), "/new");
    assert_eq!(at(&[("HF_HUB_CACHE", "")]), "~/.cache/huggingface/hub");
    let error = Settings::from_variables(None, |_| None).unwrap_err();
    assert!(
        matches!(
            error,
            HubError::Setting {
                variable: "HF_HOME",
                ..
            }
        ),
        "{error}"
    );
    assert!(
        Settings::from_variables(None, |name| (name == "HF_HUB_CACHE").then(|| "/x".into()))
            .is_ok()
    );
}

#[test]
fn the_token_comes_from_the_environment_or_its_file() {
    let home = TempDir::new().unwrap();
    let token = |variables: &[(&str, &str)]| settings(home.path(), variables).unwrap().token;
    assert_eq!(token(&[]), None);
    let default = home.path().join(".cache/huggingface");
    fs::create_dir_all(&default).unwrap();
    fs::write(default.join("token"), "from-home\n").unwrap();
    assert_eq!(token(&[]), Token::new("from-home"));
    let file = home.path().join("mine");
    fs::write(&file, " from-file \n").unwrap();
    let mut variables = vec![("HF_TOKEN_PATH", "~/mine")];
    assert_eq!(token(&variables), Token::new("from-file"));
    variables.push(("HUGGING_FACE_HUB_TOKEN", "from-old"));
    assert_eq!(token(&variables), Token::new("from-old"));
    variables.push(("HF_TOKEN", "from-new"));
    assert_eq!(token(&variables), Token::new("from-new"));
    assert_eq!(token(&[("HF_TOKEN", " ")]), None);
}

#[test]
fn a_token_that_is_none_is_refused_and_not_shown() {
    let home = TempDir::new().unwrap();
    for bad in ["hf_sec ret", "hf_secret\u{e9}", "hf_\nsecret"] {
        let error = settings(home.path(), &[("HF_TOKEN", bad)]).unwrap_err();
        assert!(
            matches!(
                error,
                HubError::Setting {
                    variable: "HF_TOKEN",
                    ..
                }
            ),
            "{error}"
        );
        assert!(!format!("{error} {error:?}").contains("sec"), "{error:?}");
        assert_eq!(Token::new(bad), None);
    }
    assert_eq!(Token::new(""), None);
    let error = settings(home.path(), &[("HF_TOKEN_PATH", "~/")]).unwrap_err();
    assert!(
        matches!(&error, HubError::Read { path, .. } if path == home.path()),
        "{error}"
    );
}

#[test]
fn offline_is_said_by_either_variable() {
    let home = TempDir::new().unwrap();
    for (variables, offline) in [
        (&[][..], false),
        (&[("HF_HUB_OFFLINE", "1")], true),
        (&[("HF_HUB_OFFLINE", "true")], true),
        (&[("HF_HUB_OFFLINE", "Yes")], true),
        (&[("TRANSFORMERS_OFFLINE", "ON")], true),
        (
            &[("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")],
            false,
        ),
        (&[("HF_HUB_OFFLINE", "maybe")], false),
    ] {
        assert_eq!(settings(home.path(), variables).unwrap().offline, offline);
    }
}

#[test]
fn the_endpoint_is_the_hubs_or_the_one_that_is_named() {
    let home = TempDir::new().unwrap();
    let endpoint = |variables: &[(&str, &str)]| settings(home.path(), variables).unwrap().endpoint;
    assert_eq!(endpoint(&[]), "https://huggingface.co");
    assert_eq!(
        endpoint(&[("HF_ENDPOINT", "http://mirror:8080")]),
        "http://mirror:8080"
    );
}
