//! The commands that every program has, one file each.

pub(crate) mod compare;
pub(crate) mod eval;
pub(crate) mod export;
pub(crate) mod flatness;
pub(crate) mod job;
pub(crate) mod landscape;
pub(crate) mod plan;
pub(crate) mod report;
mod subject;
pub(crate) mod train;
