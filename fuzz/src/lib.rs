//! What the targets share: a folder for their files, limits of time and memory, and sound things around what is read.

mod compared;
mod tiny;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use cpu_time::ProcessTime;
use tempfile::TempDir;

pub use compared::{CHECKPOINT, COMPARED, RESULTS, checkpoint, compared, copied, experiment};
pub use tiny::{OPTIMIZERS, Tiny, optimizer};

/// The system's allocator, which counts.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn more(bytes: usize) {
    let now = NOW.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(now, Relaxed);
}

// SAFETY: everything is the system's; only sizes are added up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        NOW.fetch_sub(layout.size(), Relaxed);
        more(size);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What reading an input may take.
pub struct Limits {
    /// Of the processor.
    pub time: Duration,
    /// Whatever the input.
    pub bytes: usize,
    /// For each byte of the input.
    pub bytes_per_byte: usize,
}

impl Limits {
    /// A second, and memory in proportion.
    pub const READING: Self = Self {
        time: Duration::from_secs(1),
        bytes: 32 << 20,
        bytes_per_byte: 256,
    };
}

/// Reads `data` by `read` and panics, which is a finding, where that takes more than it may.
pub fn within(limits: &Limits, data: &[u8], read: impl FnOnce(&[u8])) {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let begin = ProcessTime::now();
    read(data);
    let took = begin.elapsed();
    let peak = PEAK.load(Relaxed).saturating_sub(before);
    assert!(took < limits.time, "{} bytes took {took:?}", data.len());
    let most = limits.bytes + limits.bytes_per_byte * data.len();
    assert!(peak < most, "{} bytes took {peak} bytes", data.len());
}

/// A folder of this process, which stays.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = || tempfile::tempdir().expect("there is room for files");
    FOLDER.get_or_init(folder).path()
}

/// The first byte, which chooses, and the rest.
pub fn choice(data: &[u8]) -> (usize, &[u8]) {
    data.split_first()
        .map_or((0, data), |(&first, rest)| (usize::from(first), rest))
}

/// Writes a file into the folder.
pub fn write(name: &str, data: &[u8]) -> PathBuf {
    let path = folder().join(name);
    fs::write(&path, data).expect("there is room for files");
    path
}
