//! One file's content: fetched, gone on with where it broke off, and verified.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::Path;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::cache::{Cache, write};
use crate::client::{Client, Metadata};
use crate::error::HubError;

/// How often a download is gone on with after its connection broke; the first pause, and each doubles.
const RESUMES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(100);

/// Brings a content into the cache, calling `came` with the bytes that are there of it.
pub(crate) fn fetch(
    client: &Client<'_>,
    cache: &Cache<'_>,
    file: &str,
    of: &Metadata,
    came: &mut dyn FnMut(u64),
) -> Result<(), HubError> {
    let lock = cache.lock(&of.etag)?;
    let (blob, partial) = (cache.blob(&of.etag), cache.incomplete(&of.etag));
    if !fs::metadata(&blob).is_ok_and(|found| found.len() == of.size) {
        let mut resumes = 0;
        while let Err(error) = go_on(client, file, of, &partial, came) {
            let broke = matches!(error, HubError::Cut { .. } | HubError::Transport { .. });
            if !broke || resumes == RESUMES {
                return Err(error);
            }
            std::thread::sleep(PAUSE * 2_u32.pow(resumes));
            resumes += 1;
        }
        verify(of, &partial)?;
        fs::rename(&partial, &blob).map_err(|source| write(&blob, source))?;
    }
    came(of.size);
    drop(lock);
    Ok(())
}

/// Fetches what is missing of a file.
fn go_on(
    client: &Client<'_>,
    file: &str,
    of: &Metadata,
    partial: &Path,
    came: &mut dyn FnMut(u64),
) -> Result<(), HubError> {
    let write = |source| write(partial, source);
    let mut out = File::options()
        .create(true)
        .append(true)
        .open(partial)
        .map_err(write)?;
    let mut have = out.metadata().map_err(write)?.len();
    if have > of.size {
        out.set_len(0).map_err(write)?;
        have = 0;
    }
    if have == of.size {
        return Ok(());
    }
    let (body, starts) = client.content(file, of, have)?;
    if starts == 0 && have > 0 {
        out.set_len(0).map_err(write)?;
        have = 0;
    }
    // One byte more than there should be tells a file that is too long from one that is whole.
    let mut body = body.into_reader().take(of.size - have + 1);
    let mut buffer = vec![0; 1 << 16];
    loop {
        came(have);
        match body.read(&mut buffer) {
            Ok(0) if have < of.size => {
                return Err(cut(of, have, io::ErrorKind::UnexpectedEof.into()));
            }
            Ok(0) => break,
            Ok(count) if have + count as u64 > of.size => {
                drop(out);
                fs::remove_file(partial).map_err(write)?;
                let got = have + count as u64;
                return Err(HubError::Size {
                    url: of.url.to_string(),
                    expected: of.size,
                    got,
                });
            }
            Ok(count) => {
                out.write_all(&buffer[..count]).map_err(write)?;
                have += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // All of it is there: how the connection ends after that is no matter.
            Err(_) if have == of.size => break,
            Err(source) => return Err(cut(of, have, source)),
        }
    }
    out.sync_all().map_err(write)
}

fn cut(of: &Metadata, got: u64, source: io::Error) -> HubError {
    HubError::Cut {
        url: of.url.to_string(),
        expected: of.size,
        got,
        source,
    }
}

/// The SHA-256 where the hub names it, as it does for all that is stored apart (LFS): the weights. Git's id of the small
/// files is a hash of another kind; their size is all that is checked.
fn verify(of: &Metadata, partial: &Path) -> Result<(), HubError> {
    if of.etag.len() != 64 {
        return Ok(());
    }
    let got = sha256(partial).map_err(|source| HubError::Read {
        path: partial.to_owned(),
        source,
    })?;
    if got.eq_ignore_ascii_case(&of.etag) {
        return Ok(());
    }
    fs::remove_file(partial).map_err(|source| write(partial, source))?;
    Err(HubError::Checksum {
        url: of.url.to_string(),
        expected: of.etag.clone(),
        got,
    })
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.1 and B.3: "abc", and a million times "a" (more than a buffer).
    #[test]
    fn the_sum_is_sha256() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(file.path()).unwrap(), abc);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![b'a'; 1_000_000]).unwrap();
        let million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
        assert_eq!(sha256(file.path()).unwrap(), million);
    }
}
