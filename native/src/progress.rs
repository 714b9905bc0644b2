//! Progress of long work, on standard error only, so that results on standard output stay clean for `--json` and pipes.
//!
//! Idea: whoever waits wants three things: how far, how fast, how long still. Method: on a terminal one moving bar a task; elsewhere (a
//! batch job's log) one plain line every ten seconds, so a log of a day stays readable; with `--quiet` nothing. The speed is taken
//! over the steps done since this process started, so a resumed run does not count steps it never made.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Time between two lines of one task where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Moving bars, for a terminal.
    Bars,
    /// A plain line now and then, for a log.
    Lines,
    /// Nothing at all.
    Quiet,
}

impl Mode {
    /// `Quiet` when asked for, else bars when standard error is a terminal, else lines.
    #[must_use]
    pub fn detect(quiet: bool) -> Self {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Bars,
            (false, false) => Self::Lines,
        }
    }
}

/// The one place that writes progress. Clones share it.
#[derive(Clone)]
pub struct Progress {
    mode: Mode,
    bars: MultiProgress,
    sink: Arc<Mutex<dyn Write + Send>>,
}

impl Progress {
    /// Writes to standard error.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self::with_sink(mode, Arc::new(Mutex::new(std::io::stderr())))
    }

    /// Lines go to `sink`; bars are always drawn on standard error.
    #[must_use]
    pub fn with_sink(mode: Mode, sink: Arc<Mutex<dyn Write + Send>>) -> Self {
        let target = if mode == Mode::Bars { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        Self { mode, bars: MultiProgress::with_draw_target(target), sink }
    }

    /// Starts a task of `total` steps (`None`: not known) of which `done` were made before, by a run that this one continues.
    #[must_use]
    pub fn task(&self, label: &str, total: Option<u64>, done: u64) -> Task {
        let bar = self.bars.add(ProgressBar::hidden());
        if self.mode == Mode::Bars {
            bar.set_style(style(total.is_some()));
            if let Some(total) = total {
                bar.set_length(total);
            }
            bar.set_prefix(label.to_owned());
            // So that the speed and the time left come from this process's own steps.
            bar.set_position(done);
            bar.reset_eta();
        }
        let now = Instant::now();
        let state = State { start: now, first: done, done, last_line: now };
        Task { progress: self.clone(), label: label.to_owned(), total, bar, state: Arc::new(Mutex::new(state)) }
    }

    /// Prints one line above the bars; nothing when quiet.
    pub fn note(&self, text: &str) {
        match self.mode {
            Mode::Quiet => {}
            Mode::Bars => self.bars.suspend(|| self.write_line(text)),
            Mode::Lines => self.write_line(text),
        }
    }

    fn write_line(&self, text: &str) {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        // Progress that cannot be shown (a closed pipe) must not stop the work.
        let _ = writeln!(sink, "{text}").and_then(|()| sink.flush());
    }
}

/// One piece of work. Clones share the count.
#[derive(Clone)]
pub struct Task {
    progress: Progress,
    label: String,
    total: Option<u64>,
    bar: ProgressBar,
    state: Arc<Mutex<State>>,
}

struct State {
    start: Instant,
    /// Steps done before this process began.
    first: u64,
    done: u64,
    last_line: Instant,
}

impl Task {
    /// Says that `done` steps are made in all.
    pub fn set(&self, done: u64) {
        self.update(|state| state.done = done);
    }

    /// Ends the task: its bar goes, and one closing line stays.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
        let line = self.with(|state| state.line(&self.label, self.total, state.start.elapsed(), true));
        self.progress.note(&line);
    }

    fn with<T>(&self, read: impl FnOnce(&mut State) -> T) -> T {
        read(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        let line = self.with(|state| {
            change(state);
            match self.progress.mode {
                Mode::Quiet => None,
                Mode::Bars => {
                    self.bar.set_position(state.done);
                    None
                }
                Mode::Lines => (state.last_line.elapsed() >= LINE_INTERVAL).then(|| {
                    state.last_line = Instant::now();
                    state.line(&self.label, self.total, state.start.elapsed(), false)
                }),
            }
        });
        if let Some(line) = line {
            self.progress.note(&line);
        }
    }
}

impl State {
    /// `train: 120/1000, 3.4/s, 4 min 19 s left`, or for a finished task `train: 1000/1000 in 4 min 54 s, 3.4/s`.
    #[expect(clippy::cast_precision_loss, reason = "a speed is shown to three digits")]
    fn line(&self, label: &str, total: Option<u64>, elapsed: Duration, finished: bool) -> String {
        let seconds = elapsed.as_secs_f64();
        let speed = self.done.saturating_sub(self.first) as f64 / seconds.max(1e-9);
        let mut text = format!("{label}: {}", self.done);
        // Writing to a String cannot fail.
        if let Some(total) = total {
            let _ = write!(text, "/{total}");
        }
        if finished {
            let _ = write!(text, " in {}", duration(seconds));
        }
        if self.done > self.first && seconds >= 1e-3 {
            let _ = write!(text, ", {}", rate(speed));
            if let Some(left) = total.map(|t| t.saturating_sub(self.done)).filter(|left| !finished && *left > 0) {
                let _ = write!(text, ", {} left", duration(left as f64 / speed));
            }
        }
        text
    }
}

/// Steps a second, or seconds a step where steps are slow.
fn rate(per_second: f64) -> String {
    match per_second {
        r if r >= 100.0 => format!("{r:.0}/s"),
        r if r >= 1.0 => format!("{r:.1}/s"),
        r => format!("{:.1} s each", 1.0 / r),
    }
}

/// A duration in the two largest units that matter.
fn duration(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates, and time is positive")]
    let whole = seconds.round() as u64;
    match whole {
        0 => format!("{seconds:.2} s"),
        1..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

fn style(known_length: bool) -> ProgressStyle {
    let template =
        if known_length { "{prefix} {bar:24} {pos}/{len}, {per_sec}, {eta} left" } else { "{prefix} {spinner} {pos}, {per_sec}" };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(first: u64, done: u64) -> State {
        let now = Instant::now();
        State { start: now, first, done, last_line: now }
    }

    #[test]
    fn lines_say_how_far_how_fast_how_long() {
        let s = |first, done, secs| state(first, done).line("train", Some(1000), Duration::from_secs(secs), false);
        assert_eq!(s(0, 120, 40), "train: 120/1000, 3.0/s, 4 min 53 s left");
        assert_eq!(s(0, 2, 10), "train: 2/1000, 5.0 s each, 1 h 23 min left");
        // Steps of an earlier process do not make this one look faster.
        assert_eq!(s(100, 120, 40), "train: 120/1000, 2.0 s each, 29 min 20 s left");
        assert_eq!(s(100, 100, 40), "train: 100/1000");
        let end = state(0, 1000).line("train", Some(1000), Duration::from_secs(294), true);
        assert_eq!(end, "train: 1000/1000 in 4 min 54 s, 3.4/s");
        assert_eq!(state(0, 7).line("read", None, Duration::from_secs(7), false), "read: 7, 1.0/s");
    }

    #[test]
    fn style_templates_are_valid() {
        for text in ["{prefix} {bar:24} {pos}/{len}, {per_sec}, {eta} left", "{prefix} {spinner} {pos}, {per_sec}"] {
            assert!(ProgressStyle::with_template(text).is_ok());
        }
    }

    fn shown(mode: Mode) -> String {
        let sink: Arc<Mutex<Vec<u8>>> = Arc::default();
        let progress = Progress::with_sink(mode, sink.clone());
        let task = progress.task("work", Some(3), 0);
        progress.note("a note");
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| task.set(3));
            }
        });
        task.finish();
        let bytes = sink.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_log_gets_few_lines_and_quiet_none() {
        let text = shown(Mode::Lines);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.starts_with("a note\nwork: 3/3 in "), "{text}");
        assert_eq!(shown(Mode::Quiet), "");
    }
}
