//! The loop: makes inputs, gives them to a target, and holds what happens against what may happen.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::meter::measure;
use crate::mutate::{Shape, input};

/// An input that takes longer is named in the report.
const SLOW: Duration = Duration::from_secs(1);
/// An input that takes longer ends the process: nothing else stops a loop that does not end.
const HANG: Duration = Duration::from_secs(60);
/// From so many bytes on, a peak for each byte says something.
const LARGE: usize = 16 << 10;
/// A target is left after so many different findings.
const ENOUGH: usize = 20;

/// What a file may cost: `factor` times its bytes, and `constant` besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Bytes for each byte of the file.
    pub factor: usize,
    /// Bytes whatever the file.
    pub constant: usize,
}

impl Bound {
    fn of(self, length: usize) -> usize {
        self.factor
            .saturating_mul(length)
            .saturating_add(self.constant)
    }
}

/// What became of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was read, and used.
    Read,
    /// It was refused with an error.
    Refused,
    /// It was read, and what came of it is not as promised.
    Wrong(String),
}

/// Reads an input, and uses what was read.
pub type Run = Box<dyn Fn(&[u8], &mut Probe) -> Outcome + Send + Sync>;

/// One reader under test.
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// How many inputs the long run gives it.
    pub inputs: u64,
    /// What its inputs are made of.
    pub shape: Shape,
    /// What its inputs are made from.
    pub seeds: Vec<Vec<u8>>,
    /// Parts that are put in.
    pub words: &'static [&'static str],
    /// Reads an input, and uses what was read.
    pub run: Run,
}

impl Target {
    /// The input of a seed at an index.
    pub fn input(&self, seed: u64, index: u64) -> Vec<u8> {
        let mut name = 0xcbf2_9ce4_8422_2325_u64;
        for byte in self.name.bytes() {
            name = (name ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(name ^ seed.rotate_left(32));
        rng.set_stream(index);
        input(&self.seeds, self.words, self.shape, &mut rng)
    }
}

/// Measures the steps of an input.
#[derive(Default)]
pub struct Probe {
    broken: Vec<String>,
    steps: BTreeMap<&'static str, Step>,
}

/// The most that a step took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    /// How often it was made.
    pub count: u64,
    /// The largest peak of live bytes.
    pub peak: usize,
    /// The largest part of its bound that was used.
    pub of_bound: f64,
    /// The largest peak for each byte of inputs that are not small.
    pub factor: f64,
    /// The longest.
    pub took: Duration,
}

impl Probe {
    /// Runs a step on something of `length` bytes, and holds its memory against the bound.
    pub fn step<R>(
        &mut self,
        name: &'static str,
        length: usize,
        bound: Bound,
        f: impl FnOnce() -> R,
    ) -> R {
        let began = Instant::now();
        let (result, memory) = measure(f);
        let took = began.elapsed();
        let most = bound.of(length);
        let step = self.steps.entry(name).or_default();
        step.count += 1;
        step.took = step.took.max(took);
        step.peak = step.peak.max(memory.peak);
        step.of_bound = step.of_bound.max(memory.peak as f64 / most as f64);
        if length >= LARGE {
            step.factor = step.factor.max(memory.peak as f64 / length as f64);
        }
        if memory.peak.max(memory.largest) > most {
            self.broken.push(format!(
                "{name}: memory: expected at most {} x {length} + {} bytes, got a peak of {} and a request of {}",
                bound.factor, bound.constant, memory.peak, memory.largest
            ));
        }
        result
    }

    fn merge(&mut self, other: Self) {
        for (name, step) in other.steps {
            let all = self.steps.entry(name).or_default();
            all.count += step.count;
            all.took = all.took.max(step.took);
            all.peak = all.peak.max(step.peak);
            all.of_bound = all.of_bound.max(step.of_bound);
            all.factor = all.factor.max(step.factor);
        }
    }
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Of the inputs.
    pub seed: u64,
    /// The first index.
    pub from: u64,
    /// How many.
    pub inputs: u64,
    /// At once.
    pub threads: usize,
    /// Where findings are written, and how far each thread came.
    pub folder: Option<PathBuf>,
}

/// Something that must not happen.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The input's index.
    pub index: u64,
    /// What happened.
    pub what: String,
    /// Where the input was written.
    pub file: Option<PathBuf>,
}

/// What came of a plan.
#[derive(Default)]
pub struct Report {
    /// Inputs that were tried.
    pub inputs: u64,
    /// Of these, read.
    pub read: u64,
    /// One for each place or kind.
    pub findings: Vec<Finding>,
    /// Inputs that took longer than a second, and how long.
    pub slow: Vec<(u64, Duration)>,
    /// The longest that an input took.
    pub slowest: Duration,
    /// What each step took.
    pub steps: BTreeMap<&'static str, Step>,
    /// From first to last.
    pub took: Duration,
}

/// What a thread does at the moment.
struct Desk {
    /// Index + 1; 0 between inputs.
    index: AtomicU64,
    /// When it began, in milliseconds from the start.
    since: AtomicU64,
}

/// Tries every input of the plan.
///
/// # Errors
///
/// Where findings or progress cannot be written.
pub fn run(target: &Target, plan: &Plan) -> io::Result<Report> {
    let start = Instant::now();
    if let Some(folder) = &plan.folder {
        fs::create_dir_all(folder)?;
    }
    let desks: Vec<Desk> = (0..plan.threads)
        .map(|_| Desk {
            index: AtomicU64::new(0),
            since: AtomicU64::new(0),
        })
        .collect();
    let done = AtomicBool::new(false);
    let found = Mutex::new((HashSet::new(), Vec::new()));
    let before = panic::take_hook();
    panic::set_hook(Box::new(remember));
    let parts = std::thread::scope(|scope| {
        scope.spawn(|| watch(target, plan, &desks, start, &done));
        let workers: Vec<_> = (0..plan.threads)
            .map(|thread| {
                let (desk, found) = (&desks[thread], &found);
                scope.spawn(move || {
                    alone(|| work(target, plan, thread, desk, start, found)).and_then(|part| part)
                })
            })
            .collect();
        let parts: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        done.store(true, Relaxed);
        parts
    });
    panic::set_hook(before);

    let mut report = Report::default();
    let mut probe = Probe::default();
    for part in parts {
        let part = part.map_err(|_| io::Error::other("a worker panicked"))??;
        report.inputs += part.0.inputs;
        report.read += part.0.read;
        report.slowest = report.slowest.max(part.0.slowest);
        report.slow.extend(part.0.slow);
        probe.merge(part.1);
    }
    let found = found.into_inner();
    report.findings = found.unwrap_or_else(std::sync::PoisonError::into_inner).1;
    report.steps = probe.steps;
    report.took = start.elapsed();
    Ok(report)
}

/// Runs `f` in a pool of one thread, so that whatever a reader has done by others is done by the thread that is measured, and a panic
/// is its own.
///
/// # Errors
///
/// Where the system gives no thread.
pub fn alone<R: Send>(f: impl FnOnce() -> R + Send) -> io::Result<R> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    Ok(pool.map_err(io::Error::other)?.install(f))
}

type Found = Mutex<(HashSet<String>, Vec<Finding>)>;

fn work(
    target: &Target,
    plan: &Plan,
    thread: usize,
    desk: &Desk,
    start: Instant,
    found: &Found,
) -> io::Result<(Report, Probe)> {
    let name = format!("{}.progress-{thread}", target.name);
    let progress = plan.folder.as_ref().map(|folder| {
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(true).write(true);
        options.open(folder.join(name))
    });
    let progress = progress.transpose()?;
    let mut report = Report::default();
    let mut all = Probe::default();
    let threads = plan.threads as u64;
    let mut index = plan.from + thread as u64;
    while index < plan.from + plan.inputs {
        // An input that ends the process leaves its index behind.
        if let Some(file) = &progress {
            file.write_all_at(format!("{index:20}\n").as_bytes(), 0)?;
        }
        let bytes = target.input(plan.seed, index);
        let began = Instant::now();
        let since = began.duration_since(start).as_millis();
        desk.since
            .store(u64::try_from(since).unwrap_or(u64::MAX), Relaxed);
        desk.index.store(index + 1, Relaxed);
        let (outcome, mut probe) = attempt(target, &bytes);
        desk.index.store(0, Relaxed);
        let took = began.elapsed();

        report.inputs += 1;
        report.slowest = report.slowest.max(took);
        if took > SLOW {
            report.slow.push((index, took));
        }
        let mut wrong = std::mem::take(&mut probe.broken);
        match outcome {
            Outcome::Read => report.read += 1,
            Outcome::Refused => {}
            Outcome::Wrong(what) => wrong.push(what),
        }
        all.merge(probe);
        for what in wrong {
            // Once a kind: the message up to its numbers.
            let kind: String = what.chars().take_while(|c| !c.is_ascii_digit()).collect();
            let mut found = found
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let kind = if what.starts_with("panic") {
                what.clone()
            } else {
                kind
            };
            if !found.0.insert(kind) {
                continue;
            }
            let file = save(target, plan, index, &bytes)?;
            found.1.push(Finding { index, what, file });
        }
        let count = found
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .1
            .len();
        if count >= ENOUGH {
            break;
        }
        index += threads;
    }
    Ok((report, all))
}

/// One input; a panic is an outcome.
pub(crate) fn attempt(target: &Target, bytes: &[u8]) -> (Outcome, Probe) {
    let mut probe = Probe::default();
    let ran = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(bytes, &mut probe)));
    let outcome = ran.unwrap_or_else(|_| Outcome::Wrong(PANIC.take()));
    (outcome, probe)
}

thread_local! {
    static PANIC: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

/// Keeps a panic's place and message for whoever catches it.
fn remember(info: &panic::PanicHookInfo<'_>) {
    let mut text = String::from("panic");
    if let Some(place) = info.location() {
        // The file's last parts: where a registry lies is of no interest.
        let parts: Vec<_> = place.file().rsplit('/').take(4).collect();
        let path: Vec<_> = parts.into_iter().rev().collect();
        let _ = write!(text, " at {}:{}", path.join("/"), place.line());
    }
    let message = info.payload_as_str().unwrap_or("no message");
    let _ = write!(text, ": {}", message.chars().take(200).collect::<String>());
    PANIC.set(text);
}

fn save(target: &Target, plan: &Plan, index: u64, bytes: &[u8]) -> io::Result<Option<PathBuf>> {
    let Some(folder) = &plan.folder else {
        return Ok(None);
    };
    let path = folder.join(format!("{}-{}-{index}", target.name, plan.seed));
    fs::write(&path, bytes)?;
    Ok(Some(path))
}

/// Ends the process where an input does not end.
#[allow(clippy::print_stderr, reason = "the last words of a process")]
fn watch(target: &Target, plan: &Plan, desks: &[Desk], start: Instant, done: &AtomicBool) {
    while !done.load(Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
        let now = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        for desk in desks {
            let index = desk.index.load(Relaxed);
            let since = Duration::from_millis(now.saturating_sub(desk.since.load(Relaxed)));
            if index > 0 && since > HANG {
                let index = index - 1;
                let bytes = target.input(plan.seed, index);
                let file = save(target, plan, index, &bytes);
                eprintln!(
                    "{}: input {index} of seed {} runs for {since:?}, written to {file:?}",
                    target.name, plan.seed
                );
                std::process::abort();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(run: fn(&[u8], &mut Probe) -> Outcome) -> Target {
        Target {
            name: "test",
            inputs: 0,
            shape: Shape::Lines,
            seeds: vec![b"one two three".to_vec()],
            words: &["four"],
            run: Box::new(run),
        }
    }

    fn plan() -> Plan {
        Plan {
            seed: 1,
            from: 0,
            inputs: 300,
            threads: 2,
            folder: None,
        }
    }

    const SMALL: Bound = Bound {
        factor: 2,
        constant: 100,
    };

    /// What a reader leaves to another thread is seen all the same.
    #[test]
    fn a_reader_s_helpers_are_measured_and_their_panics_told() {
        let panics = target(|bytes, _| {
            let helped = || assert!(!bytes.starts_with(b"one"), "it begins");
            rayon::join(|| (), helped);
            Outcome::Read
        });
        let report = run(&panics, &plan()).unwrap();
        assert_eq!(report.findings.len(), 1);
        assert!(report.findings[0].what.contains("it begins"));

        let greedy = target(|bytes, probe| {
            let length = 3 * bytes.len() + 200;
            probe.step("read", bytes.len(), SMALL, || {
                rayon::join(|| (), || drop(std::hint::black_box(vec![1_u8; length])));
            });
            Outcome::Refused
        });
        let report = run(&greedy, &plan()).unwrap();
        assert_eq!(report.findings.len(), 1);
        assert!(report.findings[0].what.contains("read: memory"));
    }

    /// The gates themselves: each must see what it is there for.
    #[test]
    fn panics_memory_and_broken_promises_are_found() {
        let panics = target(|bytes, _| {
            assert!(!bytes.starts_with(b"one"), "it begins");
            Outcome::Read
        });
        let report = run(&panics, &plan()).unwrap();
        assert_eq!(report.findings.len(), 1);
        assert!(report.findings[0].what.contains("it begins"));
        assert!(report.findings[0].what.contains("run.rs"));

        let greedy = target(|bytes, probe| {
            let length = 3 * bytes.len() + 200;
            probe.step("read", bytes.len(), SMALL, || {
                drop(std::hint::black_box(vec![1_u8; length]));
            });
            Outcome::Refused
        });
        let report = run(&greedy, &plan()).unwrap();
        assert_eq!(report.findings.len(), 1);
        assert!(report.findings[0].what.contains("read: memory"));
        assert_eq!((report.inputs, report.read), (300, 0));

        let modest = target(|bytes, probe| {
            probe.step("read", bytes.len(), SMALL, || {
                drop(std::hint::black_box(bytes.to_vec()));
            });
            if bytes.contains(&b'4') {
                return Outcome::Wrong(String::from("a four"));
            }
            Outcome::Read
        });
        let report = run(&modest, &plan()).unwrap();
        let whats: Vec<_> = report
            .findings
            .iter()
            .map(|finding| &finding.what)
            .collect();
        assert!(whats.iter().all(|what| *what == "a four"), "{whats:?}");
        assert!(report.read > 200);
        assert_eq!(report.steps["read"].count, 300);
    }

    #[test]
    fn a_finding_is_written_as_the_input_that_made_it() {
        let folder = tempfile::tempdir().unwrap();
        let target = target(|_, _| Outcome::Wrong(String::from("always")));
        let plan = Plan {
            folder: Some(folder.path().to_owned()),
            threads: 1,
            ..plan()
        };
        let report = run(&target, &plan).unwrap();
        let finding = &report.findings[0];
        let bytes = fs::read(finding.file.as_ref().unwrap()).unwrap();
        assert_eq!(bytes, target.input(1, finding.index));
    }
}
