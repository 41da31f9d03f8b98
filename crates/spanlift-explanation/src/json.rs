//! The JSON form: a format name, a version, then the fields of [`Explanation`], one line each.
//!
//! Reading looks at format and version before anything else, so that a file of another kind or another
//! version is named as such and not reported as a missing field. Fields that this version does not know are
//! passed over. What was read or is about to be written passes [`Explanation::validate`]: JSON has no NaN
//! (`serde_json` writes `null`), so an explanation that holds one is refused and not written.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use thiserror::Error;

use crate::{
    COMPARISON_FORMAT, COMPARISON_VERSION, Comparison, Document, Explanation, Invalid,
    InvalidWindows, Merge, WINDOWS_FORMAT, WINDOWS_VERSION, Windows,
};

/// The format name at the head of the JSON form.
pub const FORMAT: &str = "spanlift.explanation";

/// The version of the JSON form that this crate writes and reads.
pub const VERSION: u32 = 1;

/// Why a text is not an explanation of this version.
#[derive(Debug, Error)]
pub enum ReadError {
    /// No JSON, or JSON without the fields of an explanation.
    #[error("malformed explanation: {cause}")]
    Json {
        /// What the JSON reader met, with line and column.
        cause: serde_json::Error,
    },
    /// JSON of another kind.
    #[error("format: expected \"{expected}\", got {}", quoted(got.as_deref()))]
    Format {
        /// The format name it carries, if any.
        got: Option<String>,
        /// [`FORMAT`], or [`WINDOWS_FORMAT`].
        expected: &'static str,
    },
    /// An explanation of another version.
    #[error("version: expected {expected}, got {got}")]
    Version {
        /// The version it carries.
        got: u64,
        /// [`VERSION`].
        expected: u32,
    },
    /// The fields are there and contradict each other.
    #[error(transparent)]
    Invalid {
        /// Which, and how.
        #[from]
        source: Invalid,
    },
    /// The windows of a passage are at fault, or contradict each other or their document.
    #[error(transparent)]
    Windows {
        /// Which, and how.
        #[from]
        source: InvalidWindows,
    },
}

/// Why an explanation was not written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// It could not be read back.
    #[error(transparent)]
    Invalid {
        /// Which field, and why.
        #[from]
        source: Invalid,
    },
    /// The same of the windows of a passage.
    #[error(transparent)]
    Windows {
        /// Which, and why.
        #[from]
        source: InvalidWindows,
    },
    /// The writer failed.
    #[error("write: {cause}")]
    Io {
        /// What the writer said.
        cause: io::Error,
    },
}

fn quoted(name: Option<&str>) -> String {
    name.map_or_else(|| "none".to_owned(), |name| format!("{name:?}"))
}

/// What is looked at first. A version that is no number is left to the reader of the fields.
#[derive(Deserialize)]
struct Head {
    format: Option<String>,
    version: Option<serde_json::Value>,
}

impl Explanation {
    /// The JSON form: one line a field, one line an entry of the outer lists; numbers read back exactly.
    ///
    /// # Errors
    ///
    /// [`WriteError::Invalid`] where [`Explanation::validate`] finds fault, a NaN among others.
    pub fn to_json(&self) -> Result<String, WriteError> {
        let mut bytes = Vec::new();
        self.write_json(&mut bytes)?;
        String::from_utf8(bytes).map_err(|cause| WriteError::Io {
            cause: io::Error::new(io::ErrorKind::InvalidData, cause),
        })
    }

    /// The same, into a writer.
    ///
    /// # Errors
    ///
    /// As [`Explanation::to_json`] (nothing is written then), and [`WriteError::Io`] where the writer fails.
    pub fn write_json(&self, mut writer: impl io::Write) -> Result<(), WriteError> {
        self.validate()?;
        write_fields(&mut writer, self)?;
        written(writer.write_all(b"\n"))
    }

    /// Reads the JSON form and checks it with [`Explanation::validate`].
    ///
    /// # Errors
    ///
    /// Another format or version, malformed JSON, fields that contradict each other.
    pub fn from_json(text: &str) -> Result<Self, ReadError> {
        head(text, FORMAT, VERSION)?;
        let explanation: Self =
            serde_json::from_str(text).map_err(|cause| ReadError::Json { cause })?;
        explanation.validate()?;
        Ok(explanation)
    }
}

/// The format and the version, looked at before the fields.
fn head(text: &str, format: &'static str, expected: u32) -> Result<(), ReadError> {
    let head: Head = serde_json::from_str(text).map_err(|cause| ReadError::Json { cause })?;
    if head.format.as_deref() != Some(format) {
        return Err(ReadError::Format {
            got: head.format,
            expected: format,
        });
    }
    let version = head.version.and_then(|version| version.as_u64());
    match version.filter(|&version| version != u64::from(expected)) {
        Some(got) => Err(ReadError::Version { got, expected }),
        None => Ok(()),
    }
}

fn write_fields(writer: impl io::Write, value: &impl Serialize) -> Result<(), WriteError> {
    let mut serializer = Serializer::with_formatter(writer, Lines::default());
    written(value.serialize(&mut serializer).map_err(io::Error::from))
}

fn written(result: io::Result<()>) -> Result<(), WriteError> {
    result.map_err(|cause| WriteError::Io { cause })
}

/// Writes the windows of a passage one after the other, so that one is held at a time, and merges them on the way.
#[derive(Debug)]
pub struct WindowsWriter<W> {
    writer: W,
    merge: Merge,
    any: bool,
}

impl<W: io::Write> WindowsWriter<W> {
    /// Begins; `answer_window` is the one whose explanation is that of the passage's answer.
    ///
    /// # Errors
    ///
    /// [`WriteError::Io`] where the writer fails.
    pub fn new(mut writer: W, answer_window: usize) -> Result<Self, WriteError> {
        let head = format!(
            "{{\n\"format\":\"{WINDOWS_FORMAT}\",\n\"version\":{WINDOWS_VERSION},\n\"windows\":["
        );
        written(writer.write_all(head.as_bytes()))?;
        Ok(Self {
            writer,
            merge: Merge::new(answer_window),
            any: false,
        })
    }

    /// Writes the next window; `first` is the index of its first passage token among all of the passage's.
    ///
    /// # Errors
    ///
    /// As [`Merge::push`], and [`WriteError::Io`] where the writer fails.
    pub fn push(&mut self, explanation: &Explanation, first: usize) -> Result<(), WriteError> {
        self.merge.push(explanation, first)?;
        let between: &[u8] = if self.any { b",\n" } else { b"\n" };
        written(self.writer.write_all(between))?;
        self.any = true;
        write_fields(&mut self.writer, explanation)
    }

    /// Writes the merged view, and gives it back.
    ///
    /// # Errors
    ///
    /// As [`Merge::finish`], and [`WriteError::Io`] where the writer fails.
    pub fn finish(mut self) -> Result<Document, WriteError> {
        let document = self.merge.finish()?;
        written(self.writer.write_all(b"\n],\n\"document\":"))?;
        write_fields(&mut self.writer, &document)?;
        written(
            self.writer
                .write_all(b"\n}\n")
                .and_then(|()| self.writer.flush()),
        )?;
        Ok(document)
    }
}

impl Windows {
    /// The JSON form, as [`WindowsWriter`] writes it.
    ///
    /// # Errors
    ///
    /// [`WriteError::Windows`] where [`Windows::validate`] finds fault.
    pub fn to_json(&self) -> Result<String, WriteError> {
        self.validate()?;
        let mut bytes = Vec::new();
        let mut writer = WindowsWriter::new(&mut bytes, self.document.answer_window)?;
        for (window, place) in self.windows.iter().zip(&self.document.places) {
            writer.push(window, place.first)?;
        }
        writer.finish()?;
        String::from_utf8(bytes).map_err(|cause| WriteError::Io {
            cause: io::Error::new(io::ErrorKind::InvalidData, cause),
        })
    }

    /// Reads the JSON form and checks it with [`Windows::validate`].
    ///
    /// # Errors
    ///
    /// Another format or version, malformed JSON, windows that contradict each other or their document.
    pub fn from_json(text: &str) -> Result<Self, ReadError> {
        head(text, WINDOWS_FORMAT, WINDOWS_VERSION)?;
        let windows: Self =
            serde_json::from_str(text).map_err(|cause| ReadError::Json { cause })?;
        windows.validate()?;
        Ok(windows)
    }
}

impl Comparison {
    /// The JSON form.
    ///
    /// # Errors
    ///
    /// [`WriteError::Invalid`] where [`Comparison::validate`] finds fault.
    pub fn to_json(&self) -> Result<String, WriteError> {
        self.validate()?;
        let mut bytes = Vec::new();
        write_fields(&mut bytes, self)?;
        bytes.push(b'\n');
        String::from_utf8(bytes).map_err(|cause| WriteError::Io {
            cause: io::Error::new(io::ErrorKind::InvalidData, cause),
        })
    }

    /// Reads the JSON form and checks it with [`Comparison::validate`].
    ///
    /// # Errors
    ///
    /// Another format or version, malformed JSON, explanations of different questions.
    pub fn from_json(text: &str) -> Result<Self, ReadError> {
        head(text, COMPARISON_FORMAT, COMPARISON_VERSION)?;
        let comparison: Self =
            serde_json::from_str(text).map_err(|cause| ReadError::Json { cause })?;
        comparison.validate()?;
        Ok(comparison)
    }
}

/// Compact JSON, except that each field of the outermost object begins a line, and each object in a list that
/// is such a field (a token, a layer, an edge): short, and `grep` and `diff` have something to hold.
#[derive(Default)]
struct Lines {
    /// How many objects and lists are open.
    depth: usize,
    /// Whether the value that comes next is an entry of a list that is a field of the outermost object.
    entry: bool,
}

/// Depth inside the outermost object.
const FIELD: usize = 1;
/// Depth inside an object or a list that is one of its fields.
const ENTRY: usize = 2;

impl Formatter for Lines {
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.entry {
            writer.write_all(b"\n  ")?;
        }
        self.depth += 1;
        CompactFormatter.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.depth == FIELD {
            writer.write_all(b"\n")?;
        }
        self.depth -= 1;
        CompactFormatter.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        CompactFormatter.begin_object_key(writer, first)?;
        if self.depth == FIELD {
            writer.write_all(b"\n")
        } else {
            Ok(())
        }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.entry = false;
        CompactFormatter.begin_object_value(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.entry = self.depth == ENTRY;
        CompactFormatter.begin_array_value(writer, first)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        CompactFormatter.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        CompactFormatter.end_array(writer)
    }
}
