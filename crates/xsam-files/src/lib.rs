#![doc = include_str!("../README.md")]
//!
//! # The parts
//!
//! [`replace_file`] and its relatives write; [`LockFile`] locks, and [`Owner`] says who.

mod lock;
mod replace;

pub use lock::{LockError, LockFile, Owner};
pub use replace::{replace_file, replace_file_unsynced, replace_file_with};
