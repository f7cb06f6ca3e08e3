//! The bounded buffer between those who have something to say and the thread that writes it out.

use std::fmt;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

pub(super) struct Sink {
    state: Mutex<State>,
    /// There is something to write.
    filled: Condvar,
    /// Something was written, or writing began to fail.
    written: Condvar,
    lost: AtomicU64,
}

#[derive(Default)]
struct State {
    buffer: Vec<u8>,
    /// Somebody wants it written now.
    urgent: bool,
    /// The writer has taken lines that are not out yet.
    writing: bool,
    /// Nobody waits for room: writing fails, or has stood still for as long as anybody should wait.
    hopeless: bool,
    /// Lines left out since that was last said.
    left_out: u64,
    /// Nothing is written at all.
    off: bool,
}

impl Sink {
    /// A sink whose thread writes to `out`. The thread lives as long as the sink.
    /// `gap` makes the line that says how many were left out.
    pub(super) fn start(
        out: impl Write + Send + 'static,
        gap: impl Fn(u64, &mut Vec<u8>) + Send + 'static,
    ) -> std::io::Result<Arc<Self>> {
        let sink = Arc::new(Self::new(false));
        let weak = Arc::downgrade(&sink);
        thread::Builder::new().name("log".to_owned()).stack_size(WRITER_STACK).spawn(move || {
            let mut writer = Writer { out, gap, lines: Vec::new() };
            // Waking up now and then tells whether the sink is still there.
            while let Some(sink) = weak.upgrade() {
                if sink.take(&mut writer.lines) {
                    writer.write(&sink);
                }
            }
        })?;
        Ok(sink)
    }

    pub(super) fn none() -> Arc<Self> {
        Arc::new(Self::new(true))
    }

    fn new(off: bool) -> Self {
        Self {
            state: Mutex::new(State { off, ..State::default() }),
            filled: Condvar::new(),
            written: Condvar::new(),
            lost: AtomicU64::new(0),
        }
    }

    /// Appends a line. Waits for room, once, when the writer does not keep up.
    pub(super) fn push(&self, line: &[u8], urgent: bool) {
        let mut state = self.lock();
        if state.off {
            return;
        }
        if state.buffer.len() + line.len() > BUFFER_MAX {
            state = self.wait_for_room(state, line.len());
            if state.buffer.len() + line.len() > BUFFER_MAX {
                state.hopeless = true;
                state.left_out += 1;
                self.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        let before = state.buffer.len();
        state.buffer.extend_from_slice(line);
        // The writer sleeps without a time while there is nothing, and for a time while there is little.
        let wake =
            before == 0 || (before < BUFFER_HIGH && state.buffer.len() >= BUFFER_HIGH) || (urgent && !state.urgent);
        state.urgent |= urgent;
        drop(state);
        if wake {
            self.filled.notify_one();
        }
    }

    fn wait_for_room<'a>(&'a self, mut state: MutexGuard<'a, State>, len: usize) -> MutexGuard<'a, State> {
        state.urgent = true;
        self.filled.notify_one();
        let full = |state: &mut State| state.buffer.len() + len > BUFFER_MAX && !state.hopeless;
        self.written.wait_timeout_while(state, ROOM_PATIENCE, full).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn flush(&self, patience: Duration) {
        let mut state = self.lock();
        if state.off {
            return;
        }
        state.urgent = true;
        self.filled.notify_one();
        let unwritten = |state: &mut State| (!state.buffer.is_empty() || state.writing) && !state.hopeless;
        drop(self.written.wait_timeout_while(state, patience, unwritten));
    }

    pub(super) fn lost_lines(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// The writer's side: waits for lines and takes them. False when there were none for a while.
    fn take(&self, lines: &mut Vec<u8>) -> bool {
        let state = self.lock();
        let idle = |state: &mut State| state.buffer.is_empty();
        let (state, _) = self.filled.wait_timeout_while(state, IDLE, idle).unwrap_or_else(PoisonError::into_inner);
        if state.buffer.is_empty() {
            return false;
        }
        // Lines gather for a moment: one write for many.
        let early = |state: &mut State| !state.urgent && state.buffer.len() < BUFFER_HIGH;
        let (mut state, _) =
            self.filled.wait_timeout_while(state, GATHER, early).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut state.buffer, lines);
        state.urgent = false;
        state.writing = true;
        drop(state);
        self.written.notify_all();
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nobody panics while holding it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").finish_non_exhaustive()
    }
}

struct Writer<W, G> {
    out: W,
    gap: G,
    lines: Vec<u8>,
}

impl<W: Write, G: Fn(u64, &mut Vec<u8>)> Writer<W, G> {
    /// Writes what was taken, and behind a gap how large it was.
    fn write(&mut self, sink: &Sink) {
        loop {
            self.write_all(sink);
            self.lines.clear();
            let mut state = sink.lock();
            match std::mem::take(&mut state.left_out) {
                0 => {
                    state.writing = false;
                    break;
                }
                left_out => (self.gap)(left_out, &mut self.lines),
            }
        }
        sink.written.notify_all();
        self.lines.shrink_to(BUFFER_KEPT);
        // A failure to flush shows at the next write.
        let _ = self.out.flush();
    }

    /// However often it takes: a disk that was full has room again one day.
    fn write_all(&mut self, sink: &Sink) {
        let mut done = 0;
        while done < self.lines.len() {
            match self.out.write(&self.lines[done..]) {
                Ok(0) => pause(sink),
                Ok(count) => {
                    done += count;
                    sink.lock().hopeless = false;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => pause(sink),
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a thread of its own, which serves nobody else")]
fn pause(sink: &Sink) {
    sink.lock().hopeless = true;
    sink.written.notify_all();
    thread::sleep(RETRY);
}

/// The most that waits to be written: about 5,000 lines.
const BUFFER_MAX: usize = 2 << 20;
/// From here on the writer is woken early: so much stays in the processor's cache until it is written.
const BUFFER_HIGH: usize = 64 << 10;
/// What an idle log keeps of its buffer.
const BUFFER_KEPT: usize = 64 << 10;
const GATHER: Duration = Duration::from_millis(100);
const ROOM_PATIENCE: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_millis(200);
const IDLE: Duration = Duration::from_mins(1);
const WRITER_STACK: usize = 128 << 10;
