//! Progress where standard error is no terminal: a line a minute, so that a log tells how far a long job is.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressDrawTarget, TermLike};

/// From one line to the next, and from the beginning to the first: what takes less says nothing.
pub(crate) const EVERY: Duration = Duration::from_secs(60);

/// What a bar draws, as lines of a log.
struct Log<W> {
    every: Duration,
    state: Mutex<State<W>>,
}

struct State<W> {
    out: W,
    /// When the last line was written; before the first, when it began.
    written: Instant,
    /// Drawn since the last flush.
    drawn: String,
}

/// Where a bar draws to: `out`, at most one line in `every`.
pub(crate) fn target(out: impl Write + Send + 'static, every: Duration) -> ProgressDrawTarget {
    let state = State {
        out,
        written: Instant::now(),
        drawn: String::new(),
    };
    ProgressDrawTarget::term_like(Box::new(Log {
        every,
        state: Mutex::new(state),
    }))
}

impl<W> Log<W> {
    fn with<T>(&self, act: impl FnOnce(&mut State<W>) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<W> fmt::Debug for Log<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

impl<W: Write + Send> TermLike for Log<W> {
    fn width(&self) -> u16 {
        // Nothing is wrapped.
        u16::MAX
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.with(|state| state.drawn.push_str(text));
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.with(|state| {
            let drawn = std::mem::take(&mut state.drawn);
            let line = drawn.trim();
            if line.is_empty() || state.written.elapsed() < self.every {
                return Ok(());
            }
            state.written = Instant::now();
            writeln!(state.out, "{line}")?;
            state.out.flush()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use indicatif::{ProgressBar, ProgressStyle};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What three steps of a bar leave.
    fn drawn(every: Duration) -> String {
        let out = Shared::default();
        let bar = ProgressBar::with_draw_target(Some(3), target(out.clone(), every));
        bar.set_style(ProgressStyle::with_template("{prefix} {pos}/{len}").unwrap());
        bar.set_prefix("train");
        for _ in 0..3 {
            bar.inc(1);
            bar.tick();
        }
        bar.suspend(|| ());
        bar.finish_and_clear();
        String::from_utf8(out.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn lines_of_their_own_without_blanks_or_codes() {
        let text = drawn(Duration::ZERO);
        for step in 1..=3 {
            let line = format!("train {step}/3");
            assert!(text.lines().any(|l| l == line), "{line} in {text:?}");
        }
        assert!(text.ends_with('\n'), "{text:?}");
        assert!(text.lines().all(|l| l.starts_with("train ")), "{text:?}");
    }

    #[test]
    fn nothing_before_it_is_due() {
        assert_eq!(drawn(EVERY), "");
    }
}
