//! Where the time of a run went.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// An instant, by the clock on the wall and by that of the processors.
#[derive(Debug, Clone, Copy)]
pub struct Start(Instant, Duration);

impl Start {
    /// Now.
    pub fn now() -> Self {
        Self(Instant::now(), processors())
    }
}

/// The steps of a run: time, and time of all processors together.
#[derive(Debug, Clone, Default)]
pub struct Timings(Vec<(&'static str, Duration, Duration)>);

impl Timings {
    /// Runs a step and notes how long it took.
    pub fn step<T>(&mut self, name: &'static str, step: impl FnOnce() -> T) -> T {
        let start = Start::now();
        let result = step();
        self.since(name, start);
        result
    }

    /// Notes a step that began at an instant and ends now.
    pub fn since(&mut self, name: &'static str, start: Start) {
        self.0.push((name, start.0.elapsed(), processors().saturating_sub(start.1)));
    }

    /// One line a step.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let ms = |time: &Duration| time.as_secs_f64() * 1000.0;
        self.0.iter().map(move |(name, time, processors)| {
            format!("{name:>10}  {:>9.3} ms  {:>9.3} ms of processors", ms(time), ms(processors))
        })
    }
}

/// Time that all processors spent on this process.
fn processors() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}
