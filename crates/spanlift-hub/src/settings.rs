//! Where the hub is, where its files are kept and who asks: from the variables that `huggingface_hub` reads.
//!
//! The names, their order and their defaults are those of
//! [its constants](https://github.com/huggingface/huggingface_hub/blob/03333b689b5a2dee604676791c0792ede6246a31/src/huggingface_hub/constants.py).
//! An empty variable is none, and `~/` is the home folder.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::HubError;

/// How a checkpoint is fetched.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The hub's address. `HF_ENDPOINT`, else `https://huggingface.co`.
    pub endpoint: String,
    /// The folder with a folder for each repository. `HF_HUB_CACHE` or `HUGGINGFACE_HUB_CACHE`, else `hub` in `HF_HOME`,
    /// else in `huggingface` in `XDG_CACHE_HOME`, else in `~/.cache/huggingface`.
    pub cache: PathBuf,
    /// Who asks, for private and gated repositories. `HF_TOKEN` or `HUGGING_FACE_HUB_TOKEN`, else the file `HF_TOKEN_PATH`,
    /// else the file `token` in `HF_HOME`, where `hf auth login` leaves it.
    pub token: Option<Token>,
    /// Nothing is asked: what the cache does not have is an error. `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE`.
    pub offline: bool,
    /// How long to wait for a server that says nothing, a minute by default; a whole download may take any time.
    pub patience: Duration,
}

/// A secret: it is shown to the hub's own address and to nobody else.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// `None` where it cannot be a token: empty, or with anything else than visible ASCII characters.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let visible = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        visible.then(|| Self(text.to_owned()))
    }

    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Settings {
    /// As the environment has it.
    ///
    /// # Errors
    ///
    /// [`HubError::Setting`] and, for the token's file, [`HubError::Read`].
    pub fn from_env() -> Result<Self, HubError> {
        Self::from_variables(std::env::home_dir(), |name| std::env::var_os(name))
    }

    /// As these variables have it.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    pub fn from_variables(
        home: Option<PathBuf>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, HubError> {
        let set = |name: &'static str| {
            let value = variable(name).filter(|value| !value.is_empty())?;
            Some((name, value))
        };
        let path = |name| set(name).map(|(_, value)| expand(value, home.as_deref()));
        let hf_home = path("HF_HOME").or_else(|| {
            let caches = path("XDG_CACHE_HOME").or_else(|| Some(home.as_ref()?.join(".cache")))?;
            Some(caches.join("huggingface"))
        });
        let cache = path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| Some(hf_home.as_ref()?.join("hub")))
            .ok_or_else(|| HubError::Setting {
                variable: "HF_HOME",
                expected: "a folder, as there is no home folder",
                got: "none".to_owned(),
            })?;
        let endpoint = set("HF_ENDPOINT").map(|(_, value)| value.to_string_lossy().into_owned());
        let token_path = path("HF_TOKEN_PATH").or_else(|| Some(hf_home?.join("token")));
        let offline = set("HF_HUB_OFFLINE").or_else(|| set("TRANSFORMERS_OFFLINE"));
        Ok(Self {
            endpoint: endpoint.unwrap_or_else(|| "https://huggingface.co".to_owned()),
            cache,
            token: match set("HF_TOKEN").or_else(|| set("HUGGING_FACE_HUB_TOKEN")) {
                Some((name, value)) => token(name, &value.to_string_lossy())?,
                None => token_path.map_or(Ok(None), |path| token_file(&path))?,
            },
            offline: offline.is_some_and(|(_, value)| {
                let yes = ["1", "ON", "YES", "TRUE"];
                yes.iter().any(|yes| value.eq_ignore_ascii_case(yes))
            }),
            patience: Duration::from_secs(60),
        })
    }
}

fn expand(value: OsString, home: Option<&Path>) -> PathBuf {
    let path = PathBuf::from(value);
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

fn token(variable: &'static str, text: &str) -> Result<Option<Token>, HubError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    match Token::new(text) {
        Some(token) => Ok(Some(token)),
        None => Err(HubError::Setting {
            variable,
            expected: "a token: visible ASCII characters",
            got: "others as well".to_owned(),
        }),
    }
}

fn token_file(path: &Path) -> Result<Option<Token>, HubError> {
    match fs::read_to_string(path) {
        Ok(text) => token("HF_TOKEN_PATH", &text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(HubError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}
