//! A checkpoint damaged at random: the program works or says what is wrong, soon.

use std::time::{Duration, Instant};

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::desk::Desk;

const MUTATIONS: u64 = 200;
/// A thousand times what a run takes.
const SOON: Duration = Duration::from_secs(10);

/// The weights as often as the others together.
const FILES: [&str; 6] = [
    "config.json",
    "vocab.txt",
    "tokenizer_config.json",
    "model.safetensors",
    "model.safetensors",
    "model.safetensors",
];

#[test]
fn two_hundred_damaged_checkpoints_are_answered_or_refused() {
    let desk = Desk::new();
    let whole = FILES.map(|file| desk.read(&format!("model/{file}")));
    let (mut worked, mut refused) = (0, 0);
    for seed in 0..MUTATIONS {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let place = rng.random_range(0..FILES.len());
        let name = format!("model/{}", FILES[place]);
        let mut bytes = whole[place].clone();
        for _ in 0..rng.random_range(1..4) {
            mutate(&mut bytes, rng);
        }
        desk.write(&name, &bytes);
        let start = Instant::now();
        let ran = desk.explain(&["-o", "x.json"]);
        let took = start.elapsed();
        assert!(took < SOON, "seed {seed}, {name}: {took:?}");
        match ran.code {
            // 1 where the damage broke the sums.
            Some(0 | 1) => {
                worked += 1;
                desk.read_explanation("x.json");
            }
            Some(2) => {
                refused += 1;
                ran.refused(&[]);
                let words = ran.stderr.split_whitespace().count();
                assert!(
                    words > 5 && ran.stderr.len() < 100_000,
                    "seed {seed}: {}",
                    ran.stderr
                );
            }
            code => panic!("seed {seed}, {name}: exit code {code:?}: {ran:?}"),
        }
        desk.write(&name, &whole[place]);
    }
    assert!(
        worked > 20 && refused > 20,
        "{worked} worked, {refused} refused: too one-sided to say much"
    );
}

/// One change of a byte, a number, a stretch or the end.
fn mutate(bytes: &mut Vec<u8>, rng: &mut impl Rng) {
    if bytes.is_empty() {
        bytes.extend(b"{}");
    }
    // Every second time in the weights' header, or about anywhere in another file.
    let header = if rng.random_bool(0.5) {
        4000
    } else {
        usize::MAX
    };
    let length = bytes.len().min(header);
    let at = rng.random_range(0..length);
    let end = rng.random_range(at..bytes.len().min(at + 64)) + 1;
    match rng.random_range(0..8) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = rng.random(),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let stretch = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, stretch));
        }
        5 => bytes[at..end].fill(0),
        6 => bytes[at..end].fill(0xff),
        _ => {
            let numbers: &[&[u8]] = &[
                b"0",
                b"-1",
                b"1e999",
                b"9223372036854775808",
                b"null",
                b"\"\"",
                b"[]",
                b"0.5",
                b"1000",
            ];
            let digits: Vec<usize> = (0..length).filter(|&i| bytes[i].is_ascii_digit()).collect();
            let Some(&first) = digits.choose(rng) else {
                return;
            };
            let run = bytes[first..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            let number = numbers.choose(rng).copied().unwrap_or_default();
            drop(bytes.splice(first..first + run, number.iter().copied()));
        }
    }
}
