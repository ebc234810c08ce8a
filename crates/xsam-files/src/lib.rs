//! What every crate needs that writes a user's files: a file is replaced as a whole or stays ([`replace_file`]), and
//! whoever is at work locks a file that says who it is ([`LockFile`]).

mod lock;
mod replace;

pub use lock::{LockError, LockFile, Owner};
pub use replace::{replace_file, replace_file_unsynced, replace_file_with};
