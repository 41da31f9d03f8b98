//! The kind of CPU: bits of floating-point results agree on one kind alone, as fused and wide instructions round otherwise.

use serde::{Deserialize, Serialize};

/// A kind of CPU.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cpu {
    /// As the system names it; the architecture's name where it does not.
    pub model: String,
    /// Those of its vector instructions that the arithmetic may choose between.
    pub features: Vec<String>,
}

impl Cpu {
    /// That of this machine.
    #[must_use]
    pub fn here() -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            model: named(&info).unwrap_or(std::env::consts::ARCH).to_owned(),
            features: features().into_iter().map(str::to_owned).collect(),
        }
    }
}

/// The first `model name` of Linux's `/proc/cpuinfo`.
fn named(info: &str) -> Option<&str> {
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim()).filter(|name| !name.is_empty())
}

macro_rules! detected {
    ($is:ident: $($name:tt)*) => {
        [$(($name, std::arch::$is!($name))),*]
            .into_iter()
            .filter_map(|(name, is)| is.then_some(name))
            .collect()
    };
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    detected!(is_x86_feature_detected: "sse4.2" "avx" "f16c" "fma" "avx2" "avx512f" "avx512bw" "avx512dq" "avx512vl" "avx512vnni" "avx512bf16" "avx512fp16")
}

#[cfg(target_arch = "aarch64")]
fn features() -> Vec<&'static str> {
    detected!(is_aarch64_feature_detected: "neon" "fp16" "dotprod" "bf16" "i8mm" "sve" "sve2")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_first_of_its_line() {
        let info = "processor\t: 0\nmodel name\t: A CPU @ 2 GHz\n\nmodel name\t: Another\n";
        assert_eq!(named(info), Some("A CPU @ 2 GHz"));
        assert_eq!(named("model name\t:\n"), None);
        assert_eq!(named(""), None);
    }

    #[test]
    fn this_machine_has_a_name() {
        let cpu = Cpu::here();
        assert!(!cpu.model.is_empty());
        // Every 64-bit target that the engine is built for has some.
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        assert!(!cpu.features.is_empty(), "{cpu:?}");
    }
}
