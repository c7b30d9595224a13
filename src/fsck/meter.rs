//! Showing how far an audit has come, and what it finds.
//!
//! Border: text. Progress goes to standard error, a line per second, or one line that
//! is written over when it is a terminal; findings go to standard output.

use std::io::{self, IsTerminal as _, Write as _, stderr, stdout};
use std::time::{Duration, Instant};

use super::{Event, Progress};

/// Time between two lines.
const EVERY: Duration = Duration::from_secs(1);

/// Writes what an audit tells.
pub struct Meter {
    terminal: bool,
    started: Instant,
    /// When something was shown last, and what.
    shown: Option<(Instant, Progress)>,
    /// Why a finding could not be written.
    unsaid: Option<io::Error>,
}

impl Meter {
    /// Starts the clock.
    #[must_use]
    pub fn start() -> Self {
        Self {
            terminal: stderr().is_terminal(),
            started: Instant::now(),
            shown: None,
            unsaid: None,
        }
    }

    /// Says it at once: what is found must not be lost with an audit that never ends.
    pub fn tell(&mut self, event: Event<'_>) {
        match event {
            Event::Progress(progress) => self.show(progress),
            Event::Found(finding) => {
                self.make_way();
                if let Err(error) = writeln!(stdout(), "{finding}") {
                    self.unsaid.get_or_insert(error);
                }
            }
            Event::NotCompared(error) => {
                self.make_way();
                tracing::error!(reason = %error, "nothing could be compared with the last checkpoint");
            }
            Event::NotKept(error) => {
                self.make_way();
                tracing::warn!(%error, "a later --resume will not know how far this audit came");
            }
        }
    }

    /// Takes the line away, for something that is said in its place.
    fn make_way(&self) {
        if self.terminal {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }

    /// Shows it, unless less than a second has passed since the last time.
    fn show(&mut self, progress: Progress) {
        let due = match self.shown {
            Some((_, last)) if last == progress => false,
            Some((when, _)) => when.elapsed() >= EVERY || progress.done == progress.size,
            None => true,
        };
        if !due {
            return;
        }
        self.shown = Some((Instant::now(), progress));
        let text = line(progress, self.started.elapsed());
        // Nothing is left to do when stderr is closed.
        let _ = if self.terminal {
            write!(stderr(), "\r\x1b[K{text}")
        } else {
            writeln!(stderr(), "{text}")
        };
    }

    /// Leaves the line for what comes next.
    ///
    /// # Errors
    /// When a finding could not be written.
    pub fn finish(self) -> io::Result<()> {
        if self.terminal {
            let _ = writeln!(stderr());
        }
        self.unsaid.map_or(Ok(()), Err)
    }
}

/// `12544 of 1000000 entries, 9800 per second, 1 min 41 s left`
fn line(progress: Progress, elapsed: Duration) -> String {
    let Progress { began, done, size } = progress;
    let mut text = format!("{done} of {size} entries");
    let rate = (done - began) as f64 / elapsed.as_secs_f64().max(0.001);
    if done < size && rate >= 1.0 {
        let left = ((size - done) as f64 / rate) as u64;
        text.push_str(&format!(", {rate:.0} per second, {} min {} s left", left / 60, left % 60));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_rate_and_rest() {
        let progress = |began, done| Progress { began, done, size: 1_000 };
        let second = Duration::from_secs(1);
        assert_eq!(line(progress(0, 0), Duration::ZERO), "0 of 1000 entries");
        let on = "110 of 1000 entries, 10 per second, 1 min 29 s left";
        assert_eq!(line(progress(100, 110), second), on);
        assert_eq!(line(progress(0, 1_000), second), "1000 of 1000 entries");
    }
}
