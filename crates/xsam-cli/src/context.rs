//! What a program is, and how a command of it ends.

use std::sync::OnceLock;

/// Whose program it is; [`package!`](crate::package) makes it of the package that is being compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// Name of the program, as one types it.
    pub name: &'static str,
    /// Printed by `--version`, after the name.
    pub version: &'static str,
    /// What the program is, in a sentence.
    pub about: &'static str,
}

/// The [`Package`] of the binary in which this stands.
#[macro_export]
macro_rules! package {
    () => {
        $crate::Package {
            name: env!("CARGO_BIN_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            about: env!("CARGO_PKG_DESCRIPTION"),
        }
    };
}

/// How a command ended, if not with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did all that it was asked to.
    Done,
    /// What it was asked to do was done, and found a failure.
    Failed,
    /// It was asked to stop, and has written what there was.
    Interrupted,
}

/// Threads that were asked for.
static THREADS: OnceLock<usize> = OnceLock::new();

/// Keeps what `--threads` says; the first number stays.
pub(crate) fn set_threads(threads: Option<usize>) {
    if let Some(threads) = threads {
        let _ = THREADS.set(threads);
    }
}

/// What `--threads` says, if it is given.
pub(crate) fn threads() -> Option<usize> {
    THREADS.get().copied()
}
