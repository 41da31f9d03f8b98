//! `pytorch_model.bin` written as `torch.save` writes it, or with a pickle that it would never write.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{Seek, Write};

use safetensors::Dtype;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The opcodes of a state_dict, one tensor to a storage; the storage's key is the tensor's place.
pub(crate) fn pickle<'n>(
    tensors: impl IntoIterator<Item = (&'n str, Dtype, &'n [usize])>,
) -> Vec<u8> {
    let mut to = b"\x80\x02ccollections\nOrderedDict\n)R(".to_vec();
    for (key, (name, dtype, shape)) in tensors.into_iter().enumerate() {
        let count: usize = shape.iter().product();
        text(&mut to, name);
        to.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut to, "storage");
        to.extend(match dtype {
            Dtype::F32 => &b"ctorch\nFloatStorage\n"[..],
            Dtype::F16 => b"ctorch\nHalfStorage\n",
            Dtype::BF16 => b"ctorch\nBFloat16Storage\n",
            Dtype::I64 => b"ctorch\nLongStorage\n",
            other => panic!("{other} is not written here"),
        });
        text(&mut to, &key.to_string());
        text(&mut to, "cpu");
        int(&mut to, count);
        to.extend(b"tQK\x00(");
        for &side in shape {
            int(&mut to, side);
        }
        to.extend(b"t(");
        for side in 1..=shape.len() {
            int(&mut to, shape[side..].iter().product());
        }
        to.extend(b"t\x89ccollections\nOrderedDict\n)RtR");
    }
    to.extend(b"u.");
    to
}

pub(crate) fn text(to: &mut Vec<u8>, text: &str) {
    to.push(b'X');
    to.extend((text.len() as u32).to_le_bytes());
    to.extend(text.bytes());
}

pub(crate) fn int(to: &mut Vec<u8>, number: usize) {
    to.push(b'J');
    to.extend(i32::try_from(number).expect("a small number").to_le_bytes());
}

/// An archive that is being written.
pub(crate) struct Archive<W: Write + Seek>(ZipWriter<W>);

impl<W: Write + Seek> Archive<W> {
    pub(crate) fn new(to: W) -> Self {
        Self(ZipWriter::new(to))
    }

    /// Begins an entry, which `write` fills.
    pub(crate) fn entry(
        &mut self,
        name: &str,
        compression: CompressionMethod,
    ) -> &mut ZipWriter<W> {
        let options = SimpleFileOptions::default()
            .compression_method(compression)
            .with_alignment(64);
        self.0.start_file(name, options).expect("an entry");
        &mut self.0
    }

    pub(crate) fn finish(self) -> W {
        self.0.finish().expect("an archive")
    }
}

/// An archive of these entries, not compressed.
pub(crate) fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Archive::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        archive
            .entry(name, CompressionMethod::Stored)
            .write_all(bytes)
            .expect("room");
    }
    archive.finish().into_inner()
}
