//! `pytorch_model.bin`: what PyTorch wrote (`oracle/make_bin.py`) is read as the same numbers, and what it would never
//! write is refused.
#![cfg(feature = "pickle")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests panic to fail"
)]

mod tiny;
#[path = "common/torch.rs"]
mod torch;

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use safetensors::Dtype;
use serde_json::json;
use spanlift::checkpoint::{Checkpoint, Problem};
use spanlift::model::Encoder;
use tiny::Tiny;
use torch::{archive, int, text};

const BIN: &str = "pytorch_model.bin";

/// What the script wrote, but for the form before 1.6.
const WRITTEN: [&str; 7] = [
    "f32.bin",
    "archive.bin",
    "f16.bin",
    "bf16.bin",
    "strided.bin",
    "tied.bin",
    "protocol-4.bin",
];

fn oracle(file: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/weights");
    fs::read(folder.join(file)).unwrap()
}

/// The script's model, without weights.
fn bare() -> Tiny {
    Tiny::new()
        .config("num_hidden_layers", json!(1))
        .config("max_position_embeddings", json!(8))
        .without("model.safetensors")
}

fn of(bin: impl Into<Vec<u8>>) -> Tiny {
    bare().file(BIN, bin)
}

fn encoder(checkpoint: Checkpoint<f32>) -> Encoder<f32> {
    let mut encoder = checkpoint.encoder;
    encoder.config.name.clear();
    encoder
}

fn expected() -> Encoder<f32> {
    let mut tiny = bare().file("model.safetensors", oracle("model.safetensors"));
    tiny.left_out.clear();
    encoder(tiny.loaded())
}

#[test]
fn pytorch_files_hold_the_same_numbers() {
    let expected = expected();
    for file in WRITTEN {
        assert_eq!(encoder(of(oracle(file)).loaded()), expected, "{file}");
    }
}

#[test]
fn pytorch_shards_hold_the_same_numbers() {
    let mut tiny = bare();
    for file in [
        "pytorch_model.bin.index.json",
        "pytorch_model-00001-of-00002.bin",
        "pytorch_model-00002-of-00002.bin",
    ] {
        tiny = tiny.file(file, oracle(file));
    }
    assert_eq!(encoder(tiny.clone().loaded()), expected());
    // One file goes before the index.
    tiny = tiny.file(BIN, "x");
    let problem = tiny.clone().problem(&[BIN]);
    assert!(matches!(problem, Problem::Archive { .. }), "{problem}");
    let shard = "pytorch_model-00002-of-00002.bin";
    let problem = tiny.without(BIN).without(shard).problem(&[shard]);
    assert!(matches!(problem, Problem::MissingShard { .. }), "{problem}");
}

#[test]
fn what_pretraining_left_is_passed_over() {
    let notes = of(oracle("tied.bin")).loaded().notes;
    let note = "pytorch_model.bin: 3 tensors have no part in the answer and were passed over: \
                bert.embeddings.position_ids, cls.predictions.bias, cls.predictions.decoder.weight";
    assert_eq!(notes, [note]);
}

#[test]
fn safetensors_go_before_pytorch() {
    let mut tiny = bare()
        .file("model.safetensors", oracle("model.safetensors"))
        .file(BIN, "x");
    tiny.left_out.clear();
    assert_eq!(encoder(tiny.loaded()), expected());
}

#[test]
fn the_form_before_1_6_says_what_to_do() {
    let problem = of(oracle("legacy.bin")).problem(&[
        BIN,
        "before version 1.6",
        "torch.save(torch.load(FILE",
    ]);
    let file = BIN.to_owned();
    assert_eq!(problem, Problem::LegacyPickle { file });
}

// The archive.

#[test]
fn archives_that_are_none() {
    let whole = oracle("f32.bin");
    let ends = [
        0,
        1,
        4,
        30,
        whole.len() / 2,
        whole.len() - 23,
        whole.len() - 1,
    ];
    for end in ends {
        let problem = of(&whole[..end]).problem(&[BIN, &format!("({end} bytes)")]);
        assert!(matches!(problem, Problem::Archive { .. }), "{problem}");
    }
    for (entries, part) in [
        (&[][..], "`archive/data.pkl`"),
        (&[("data.pkl", &b"N."[..])], "`archive/data.pkl`"),
        (&[("a/b/data.pkl", b"N.")], "`archive/data.pkl`"),
        (&[("a/data.pkl", b"N."), ("b/data.pkl", b"N.")], "several"),
        (
            &[("a/data.pkl", b"N."), ("a/byteorder", b"big")],
            "expected `little`, got `big`",
        ),
    ] {
        let problem = of(archive(entries)).problem(&[BIN, part]);
        assert!(matches!(problem, Problem::Archive { .. }), "{problem}");
    }
    let long = vec![b'N'; (4 << 20) + 1];
    let problem = of(archive(&[("a/data.pkl", &long)])).problem(&["at most 4194304 bytes"]);
    assert!(matches!(problem, Problem::Archive { .. }), "{problem}");
}

/// Torch does not pack; what is packed may be larger than it seems.
#[test]
fn packed_entries_are_refused() {
    let mut whole = oracle("f32.bin");
    let places = whole
        .windows(4)
        .enumerate()
        .filter(|(_, bytes)| bytes == b"PK\x01\x02");
    let methods: Vec<usize> = places.map(|(at, _)| at + 10).collect();
    whole[methods[1]] = 8;
    let problem = of(whole).problem(&[BIN, "compressed or encrypted"]);
    assert!(matches!(problem, Problem::Archive { .. }), "{problem}");
}

// The pickle.

fn pickled(data: &[u8]) -> Vec<u8> {
    archive(&[("archive/data.pkl", data), ("archive/data/0", &[0; 64])])
}

/// A tensor of 4 numbers in a storage of 16, with something else in one place.
fn tensor(storage: &[u8], rest: &[u8]) -> Vec<u8> {
    [
        b"\x80\x02}",
        &named("x")[..],
        b"ctorch._utils\n_rebuild_tensor_v2\n(",
        storage,
        rest,
        b"s.",
    ]
    .concat()
}

fn named(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    text(&mut bytes, name);
    bytes
}

fn storage(key: &str, count: usize) -> Vec<u8> {
    let mut bytes = b"(".to_vec();
    text(&mut bytes, "storage");
    bytes.extend(b"ctorch\nFloatStorage\n");
    text(&mut bytes, key);
    text(&mut bytes, "cpu");
    int(&mut bytes, count);
    bytes.extend(b"tQ");
    bytes
}

/// Offset, shape, strides, and the two arguments that say nothing.
fn layout(offset: usize, shape: &[usize], strides: &[usize]) -> Vec<u8> {
    let mut bytes = Vec::new();
    int(&mut bytes, offset);
    for sides in [shape, strides] {
        bytes.push(b'(');
        sides.iter().for_each(|&side| int(&mut bytes, side));
        bytes.push(b't');
    }
    bytes.extend(b"\x89NtR");
    bytes
}

#[test]
fn other_names_are_refused_by_name() {
    let call = b"cos\nsystem\n(X\x02\x00\x00\x00lstR.";
    let nested = [b"\x80\x02}", &named("x")[..], b"cbuiltins\neval\n)Rs."].concat();
    let state = [b"\x80\x02}}", &named("x")[..], b"csubprocess\nPopen\nsb."].concat();
    let stacked = [b"\x80\x04", &named("posix")[..], &named("system"), b"\x93."].concat();
    let storage = tensor(&storage("0", 16), &layout(0, &[4], &[1]));
    let storage = replaced(&storage, b"FloatStorage", b"QInt8Storage");
    for (pickle, name) in [
        (&call[..], "os.system"),
        (&nested, "builtins.eval"),
        (&state, "subprocess.Popen"),
        (&stacked, "posix.system"),
        (&storage, "torch.QInt8Storage"),
        (
            b"ctorch._utils\n_rebuild_sparse_tensor\n.",
            "torch._utils._rebuild_sparse_tensor",
        ),
        (b"ctorch\nload\n.", "torch.load"),
        (b"ccollections\ndefaultdict\n.", "collections.defaultdict"),
        (b"ca\x1b[2J\nb\n.", "a\\u{1b}[2J.b"),
    ] {
        let problem =
            of(pickled(pickle)).problem(&[BIN, &format!("`{name}`"), "nothing was executed"]);
        let (file, name) = (BIN.to_owned(), name.to_owned());
        assert_eq!(problem, Problem::PickleName { file, name });
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes
        .windows(from.len())
        .position(|window| window == from)
        .unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn pickles_that_are_no_dictionary_of_tensors() {
    let state_dict = [b"}", &named("state_dict")[..], b"}s."].concat();
    let epoch = [b"}", &named("epoch")[..], b"K\x05s."].concat();
    let function = [&b"}"[..], b"ctorch\nFloatStorage\n)R."].concat();
    let extra = [
        b"}",
        &named("x")[..],
        b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
    ]
    .concat();
    let negative = [
        &storage("0", 16)[..],
        b"K\x00K\x04\x85K\x01\x85\x89N}",
        &named("neg"),
        b"\x88stR",
    ]
    .concat();
    let negative = [b"ctorch._utils\n_rebuild_tensor_v2\n(", &negative[..], b"."].concat();
    for (pickle, part) in [
        (&b""[..], "byte 0: expected 1 more bytes"),
        (b"\x80\x02", "byte 2: expected 1 more bytes, got 0"),
        (b"N.", "expected a dictionary of tensors, got None"),
        (b").", "got a tuple"),
        (b"].", "got a list"),
        (b".", "empty stack"),
        (b"}K\x01Ns.", "expected a tensor's name, got a whole number"),
        (
            &state_dict,
            "`state_dict`: expected a tensor, got a dictionary",
        ),
        (&epoch, "`epoch`: expected a tensor, got a whole number"),
        (
            b"X\xff\xff\xff\xffab",
            "expected 4294967295 more bytes, got 2",
        ),
        (
            b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
            "expected 18446744073709551615 more bytes",
        ),
        (b"X\x01\x00\x00\x00\xff.", "UTF-8"),
        (b"\x8a\x09123456789.", "expected a number of 8 bytes, got 9"),
        (b"cos", "no end of it"),
        (b"h\x05.", "expected a value kept as 5"),
        (b"q\x00.", "empty stack"),
        (b"t.", "expected a mark"),
        (b"u.", "expected a mark"),
        (b"\x85.", "empty stack"),
        (b"N(\x85.", "empty stack"),
        (b"N(.", "empty stack"),
        (b"NNa.", "expected a list to append to, got None"),
        (b"NNNs.", "expected pairs for a dictionary, got None"),
        (b"}(Nu.", "expected pairs for a dictionary"),
        (b"NNR.", "expected a function and a tuple"),
        (b"ccollections\nOrderedDict\nN\x85R.", "empty OrderedDict"),
        (&function, "the type of a storage"),
        (&extra, "6 arguments"),
        (&negative, "6 arguments"),
        (
            b"ctorch._utils\n_rebuild_parameter\nNNN\x87R.",
            "_rebuild_parameter of a tensor",
        ),
        (b")Q.", "expected a storage"),
        (b"NQ.", "expected a storage"),
        (
            b"}\x81.",
            "byte 1: expected an opcode that a dictionary of tensors needs, got 0x81",
        ),
        (b"ios\nsystem\n.", "byte 0: expected an opcode"),
    ] {
        let problem = of(pickled(pickle)).problem(&[&format!("{BIN}: data.pkl, byte "), part]);
        assert!(matches!(problem, Problem::Pickle { .. }), "{problem}");
    }
}

/// A reader that copies what it is told to repeat would need 2¹⁰⁰⁰ values here, one that descends a stack of 4 million.
#[test]
fn repetition_and_depth_cost_what_the_pickle_has() {
    let begun = Instant::now();
    let mut doubled = b"\x80\x02]r\x00\x00\x00\x00".to_vec();
    for level in 0..1000u32 {
        for _ in 0..2 {
            doubled.push(b'j');
            doubled.extend(level.to_le_bytes());
        }
        doubled.extend(b"\x86r");
        doubled.extend((level + 1).to_le_bytes());
    }
    doubled.push(b'.');
    of(pickled(&doubled)).problem(&["expected a dictionary of tensors, got a tuple"]);
    let mut deep = vec![0x85; 4 << 20];
    deep[0] = b'N';
    *deep.last_mut().unwrap() = b'.';
    of(pickled(&deep)).problem(&["expected a dictionary of tensors, got a tuple"]);
    // A dictionary that holds itself.
    let ring = [b"}q\x00", &named("x")[..], b"h\x00s."].concat();
    of(pickled(&ring)).problem(&["`x`: expected a tensor, got a dictionary"]);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

// The storages.

#[test]
fn tensors_that_reach_over_their_storage() {
    let whole = tensor(&storage("0", 16), &layout(0, &[4], &[1]));
    let problem =
        of(pickled(&whole)).problem(&["no tensor of an encoder of the family bert", "`x`"]);
    assert!(
        matches!(problem, Problem::NoEncoder { count: 1, .. }),
        "{problem}"
    );
    let most = i32::MAX as usize;
    for (key, count, offset, shape, strides, part) in [
        (
            "1",
            16,
            0,
            &[4][..],
            &[1][..],
            "expected its storage `archive/data/1`, got none",
        ),
        (
            "../0",
            16,
            0,
            &[4],
            &[1],
            "expected its storage `archive/data/../0`, got none",
        ),
        (
            "0",
            15,
            0,
            &[4],
            &[1],
            "expected a storage of 15 numbers of 4 bytes, got 64 bytes",
        ),
        (
            "0",
            most,
            0,
            &[4],
            &[1],
            "expected a storage of 2147483647 numbers",
        ),
        (
            "0",
            16,
            13,
            &[4],
            &[1],
            "got offset 13, shape [4] and strides [1]",
        ),
        (
            "0",
            16,
            0,
            &[4],
            &[6],
            "expected it inside its storage of 16 numbers",
        ),
        (
            "0",
            16,
            0,
            &[2, 2, 2],
            &[most, most, most],
            "expected it inside its storage",
        ),
        ("0", 16, most, &[1], &[1], "expected it inside its storage"),
        (
            "0",
            16,
            0,
            &[17],
            &[1],
            "expected no more numbers than its storage has, 16, got shape [17]",
        ),
        // Expanded: the same number over and over.
        (
            "0",
            16,
            0,
            &[17],
            &[0],
            "expected no more numbers than its storage has",
        ),
        (
            "0",
            16,
            0,
            &[most, most, most],
            &[0, 0, 0],
            "expected no more numbers than its storage has",
        ),
    ] {
        let pickle = tensor(&storage(key, count), &layout(offset, shape, strides));
        let problem = of(pickled(&pickle)).problem(&[&format!("{BIN}: `x`: "), part]);
        assert!(matches!(problem, Problem::Storage { .. }), "{problem}");
    }
    for (shape, strides) in [(&[1; 9][..], &[1; 9][..]), (&[4], &[1, 1]), (&[4], &[])] {
        let pickle = tensor(&storage("0", 16), &layout(0, shape, strides));
        let problem = of(pickled(&pickle)).problem(&["at most 8 sides and as many strides"]);
        assert!(matches!(problem, Problem::Pickle { .. }), "{problem}");
    }
}

/// 65 names for one storage are many times the file; 60 are layers that share.
#[test]
fn shared_storages_have_a_limit() {
    let shared = |times: usize| {
        let mut pickle = b"}(".to_vec();
        for number in 0..times {
            pickle.extend(named(&format!("bert.embeddings.{number}")));
            pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n(");
            pickle.extend(storage("0", 1 << 16));
            pickle.extend(layout(0, &[1 << 16], &[1]));
        }
        pickle.extend(b"u.");
        let bin = archive(&[
            ("archive/data.pkl", &pickle),
            ("archive/data/0", &[0; 4 << 16]),
        ]);
        of(bin).problems().0
    };
    assert!(
        matches!(&shared(70)[..], [Problem::Archive { reason, .. }] if reason.contains("share storages"))
    );
    assert!(
        !shared(60)
            .iter()
            .any(|problem| matches!(problem, Problem::Archive { .. }))
    );
}

#[test]
fn numbers_that_are_no_floats_are_named() {
    let shapes = [(
        "bert.embeddings.word_embeddings.weight",
        Dtype::I64,
        &[20, 4][..],
    )];
    let pickle = torch::pickle(shapes);
    let bin = archive(&[("archive/data.pkl", &pickle), ("archive/data/0", &[0; 640])]);
    let (problems, message) = of(bin).problems();
    assert!(message.contains("pytorch_model.bin: `bert.embeddings.word_embeddings.weight`: expected F32, F16 or BF16, got I64"), "{message}");
    assert!(problems.len() > 1);
}

#[test]
fn numbers_that_are_not_finite_are_found_through_strides() {
    let mut whole = oracle("strided.bin");
    // The first tensor's first number stands at offset 3 of the only storage.
    let storage = {
        let mut zip = zip::ZipArchive::new(Cursor::new(&whole)).unwrap();
        let entry = zip.by_name("strided/data/0").unwrap();
        entry.data_start().unwrap() as usize
    };
    // Column 0 stands in 20 places, 2 apart: the last number of it is row 19.
    let at = storage + 4 * (3 + 2 * 19);
    whole[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let problem = of(whole).problem(&["word_embeddings"]);
    assert!(
        matches!(
            problem,
            Problem::NonFinite {
                count: 1,
                of: 80,
                first: 76,
                ..
            }
        ),
        "{problem}"
    );
}

fn data_of(file: &str) -> (String, Vec<(String, Vec<u8>)>) {
    let mut zip = zip::ZipArchive::new(Cursor::new(oracle(file))).unwrap();
    let mut entries = Vec::new();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        entries.push((name, bytes));
    }
    let data = entries
        .iter()
        .find(|(name, _)| name.ends_with("/data.pkl"))
        .unwrap();
    (data.0.clone(), entries)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    /// Whatever some bytes of the archive become: an answer, never a panic.
    #[test]
    fn damaged_archives_never_panic(
        file in 0..WRITTEN.len(),
        changes in prop::collection::vec((0.0f64..1.0, any::<u8>()), 1..4),
        end in 0.5f64..1.5,
    ) {
        let mut bytes = oracle(WRITTEN[file]);
        for (at, byte) in changes {
            let at = (at * bytes.len() as f64) as usize;
            bytes[at] = byte;
        }
        bytes.truncate((end * bytes.len() as f64) as usize);
        let _ = of(bytes).load();
    }

    /// Whatever some bytes of the pickle in a whole archive become: an answer, never a panic.
    #[test]
    fn damaged_pickles_never_panic(
        file in 0..WRITTEN.len(),
        changes in prop::collection::vec((0.0f64..1.0, any::<u8>()), 1..4),
    ) {
        let (data, mut entries) = data_of(WRITTEN[file]);
        let bytes = &mut entries.iter_mut().find(|(name, _)| *name == data).unwrap().1;
        for (at, byte) in changes {
            let at = (at * bytes.len() as f64) as usize;
            bytes[at] = byte;
        }
        let entries: Vec<(&str, &[u8])> = entries.iter().map(|(name, bytes)| (&name[..], &bytes[..])).collect();
        let _ = of(archive(&entries)).load();
    }

    /// Opcodes in any order.
    #[test]
    fn made_up_pickles_never_panic(
        opcodes in prop::collection::vec(prop::sample::select(&b"()}]tasue.NRQbqhKcX\x85\x86\x87\x88\x93\x94\x00\x01\n"[..]), 0..200),
    ) {
        let _ = of(pickled(&opcodes)).load();
    }
}
