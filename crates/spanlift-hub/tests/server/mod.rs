//! A hub of one repository on this machine: the part of the protocol that is spoken, and what can go wrong with it.
//!
//! It answers on 127.0.0.1 alone, one request a connection, and stops with the test or after [`MOST_REQUESTS`]. What is
//! stored apart (LFS) is redirected to a second address, the storage, as the hub does.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const REPOSITORY: &str = "org/tower";
/// What only the storage may see of an address.
pub(crate) const SIGNATURE: &str = "Signature=only-for-the-storage";

const MOST_REQUESTS: usize = 500;

/// A file of the repository.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_lfs: bool,
}

/// What goes wrong when a file's content is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This many times the connection is closed after this many bytes of the answer.
    Cut { times: usize, after: usize },
    /// The first byte is another one.
    Altered,
    /// A byte more than announced, without an announcement beside it.
    Longer,
    /// Another length is announced with the content.
    OtherLength,
    /// Parts are not given: always all of it.
    NoRanges,
    /// Any part that is asked for is said not to be there.
    NoPart,
    /// Nothing comes after the headers.
    Silent,
    /// The hub lists it and does not have it.
    Gone,
}

/// The repository, which a test changes before and between its runs.
#[derive(Clone, Default)]
pub(crate) struct Repository {
    pub(crate) files: BTreeMap<String, Stored>,
    pub(crate) faults: BTreeMap<String, Fault>,
    /// Only who comes with this token is answered.
    pub(crate) token: Option<String>,
    /// Answers each question about the repository in place of the listing: status and headers.
    pub(crate) refusal: Option<(u16, Vec<(&'static str, String)>)>,
    /// The listing's bytes, in place of the true ones.
    pub(crate) listing: Option<Vec<u8>>,
    /// Headers of the answer to `HEAD`, in place of the true ones.
    pub(crate) head: Option<Vec<(&'static str, String)>>,
}

impl Repository {
    pub(crate) fn with(mut self, file: &str, bytes: impl Into<Vec<u8>>, is_lfs: bool) -> Self {
        let bytes = bytes.into();
        self.files.insert(file.to_owned(), Stored { bytes, is_lfs });
        self
    }
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) authorization: Option<String>,
    pub(crate) at_storage: bool,
}

struct Shared {
    repository: Mutex<Repository>,
    asked: Mutex<Vec<Asked>>,
    storage: SocketAddr,
}

/// Both addresses, until it is dropped.
pub(crate) struct Server {
    shared: Arc<Shared>,
    hub: SocketAddr,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(repository: Repository) -> Self {
        let hub = TcpListener::bind("127.0.0.1:0").unwrap();
        let storage = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = hub.local_addr().unwrap();
        let shared = Arc::new(Shared {
            repository: Mutex::new(repository),
            asked: Mutex::default(),
            storage: storage.local_addr().unwrap(),
        });
        let listen = |listener: TcpListener, at_storage| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                for stream in listener.incoming().take(MOST_REQUESTS) {
                    // A client that goes away is what some of the tests are about.
                    let Ok(true) = stream.and_then(|stream| shared.answer(stream, at_storage))
                    else {
                        break;
                    };
                }
            })
        };
        let threads = vec![listen(hub, false), listen(storage, true)];
        Self {
            shared,
            hub: address,
            threads,
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.hub)
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Repository)) {
        change(&mut self.shared.repository.lock().unwrap());
    }

    /// The requests since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared.asked.lock().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for address in [self.hub, self.shared.storage] {
            if let Ok(mut stream) = TcpStream::connect(address) {
                let _ = stream.write_all(b"STOP / HTTP/1.1\r\n\r\n");
            }
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// SHA-256, as the hub names what is stored apart.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Shared {
    /// Whether to go on.
    fn answer(&self, mut stream: TcpStream, at_storage: bool) -> std::io::Result<bool> {
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let mut words = first.split(' ').map(str::to_owned);
        let (method, path) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        if method == "STOP" {
            return Ok(false);
        }
        let mut asked = Asked {
            method,
            path,
            range: None,
            authorization: None,
            at_storage,
        };
        for line in lines {
            let line = line?;
            match line.split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("range") => {
                    asked.range = Some(value.to_owned());
                }
                Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                    asked.authorization = Some(value.to_owned());
                }
                Some(_) => {}
                None => break,
            }
        }
        self.asked.lock().unwrap().push(asked.clone());
        let mut repository = self.repository.lock().unwrap();
        // What the client does with a connection is its own affair.
        let _ = match at_storage {
            true => self.storage(&mut repository, &asked, &mut stream),
            false => self.hub(&mut repository, &asked, &mut stream),
        };
        Ok(true)
    }

    fn hub(
        &self,
        repository: &mut Repository,
        asked: &Asked,
        out: &mut TcpStream,
    ) -> std::io::Result<()> {
        let token = repository
            .token
            .as_ref()
            .map(|token| format!("Bearer {token}"));
        if token.is_some() && token != asked.authorization {
            return head(
                out,
                401,
                &[("X-Error-Message", "Invalid username or password.".into())],
            );
        }
        if let Some((status, headers)) = &repository.refusal {
            return head(out, *status, headers);
        }
        let about = format!("/api/models/{REPOSITORY}/revision/");
        if let Some(revision) = asked.path.strip_prefix(&about) {
            if !["main", "refs%2Fpr%2F1", COMMIT].contains(&revision) {
                return head(out, 404, &[("X-Error-Code", "RevisionNotFound".into())]);
            }
            let names: Vec<String> = repository
                .files
                .keys()
                .map(|file| format!("{{\"rfilename\": {file:?}}}"))
                .collect();
            let names = names.join(", ");
            let true_one = format!(
                "{{\"id\": \"{REPOSITORY}\", \"sha\": \"{COMMIT}\", \"siblings\": [{names}], \"private\": false}}"
            );
            let listing = repository.listing.clone().unwrap_or(true_one.into_bytes());
            head(out, 200, &[("Content-Length", listing.len().to_string())])?;
            return out.write_all(&listing);
        }
        let resolve = format!("/{REPOSITORY}/resolve/{COMMIT}/");
        let Some(file) = asked.path.strip_prefix(&resolve).map(str::to_owned) else {
            return head(out, 404, &[("X-Error-Code", "RepoNotFound".into())]);
        };
        let stored = repository.files.get(&file).cloned();
        let gone = repository.faults.get(&file) == Some(&Fault::Gone);
        let Some(stored) = stored.filter(|_| !gone) else {
            return head(out, 404, &[("X-Error-Code", "EntryNotFound".into())]);
        };
        if asked.method == "HEAD"
            && let Some(headers) = &repository.head
        {
            return head(out, 200, headers);
        }
        let sum = sha256(&stored.bytes);
        if stored.is_lfs {
            let to = format!("http://{}/{file}?{SIGNATURE}", self.storage);
            return head(
                out,
                302,
                &[
                    ("X-Linked-ETag", format!("\"{sum}\"")),
                    ("X-Linked-Size", stored.bytes.len().to_string()),
                    ("Location", to),
                ],
            );
        }
        let etag = ("ETag", format!("W/\"{}\"", &sum[..40]));
        match asked.method.as_str() {
            "HEAD" => head(
                out,
                200,
                &[etag, ("Content-Length", stored.bytes.len().to_string())],
            ),
            _ => content(repository, &file, &stored.bytes, asked, out),
        }
    }

    fn storage(
        &self,
        repository: &mut Repository,
        asked: &Asked,
        out: &mut TcpStream,
    ) -> std::io::Result<()> {
        let ending = format!("?{SIGNATURE}");
        let file = asked
            .path
            .strip_suffix(&ending)
            .and_then(|path| path.strip_prefix('/'));
        let Some(file) = file.map(str::to_owned) else {
            return head(out, 403, &[]);
        };
        let bytes = repository.files[&file].bytes.clone();
        content(repository, &file, &bytes, asked, out)
    }
}

/// The content, or the part that is asked for, with what goes wrong.
fn content(
    repository: &mut Repository,
    file: &str,
    bytes: &[u8],
    asked: &Asked,
    out: &mut TcpStream,
) -> std::io::Result<()> {
    let fault = repository.faults.get(file).copied();
    let from = asked
        .range
        .as_ref()
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
    let from: Option<usize> = from.and_then(|from| from.parse().ok());
    let from = from.filter(|_| fault != Some(Fault::NoRanges));
    if from.is_some_and(|from| from >= bytes.len() || fault == Some(Fault::NoPart)) {
        return head(out, 416, &[]);
    }
    let mut part = bytes[from.unwrap_or(0)..].to_vec();
    if fault == Some(Fault::Altered) {
        part[0] ^= 1;
    }
    if fault == Some(Fault::Longer) {
        part.push(0);
        head(out, 200, &[("Connection", "close".into())])?;
        return out.write_all(&part);
    }
    let length = part.len() + usize::from(fault == Some(Fault::OtherLength));
    let mut headers = vec![("Content-Length", length.to_string())];
    let status = match from {
        None => 200,
        Some(from) => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            headers.push(("Content-Range", range));
            206
        }
    };
    head(out, status, &headers)?;
    match fault {
        Some(Fault::Cut { times, after }) if times > 0 => {
            let times = times - 1;
            repository
                .faults
                .insert(file.to_owned(), Fault::Cut { times, after });
            out.write_all(&part[..after.min(part.len())])
        }
        Some(Fault::Silent) => {
            std::thread::sleep(Duration::from_millis(600));
            Ok(())
        }
        _ => out.write_all(&part),
    }
}

fn head(
    out: &mut TcpStream,
    status: u16,
    headers: &[(&'static str, String)],
) -> std::io::Result<()> {
    let mut text =
        format!("HTTP/1.1 {status} X\r\nConnection: close\r\nX-Repo-Commit: {COMMIT}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if status >= 300 {
        text.push_str("Content-Length: 0\r\n");
    }
    text.push_str("\r\n");
    out.write_all(text.as_bytes())
}
