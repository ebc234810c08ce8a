//! The pages of the book and the README, whose Rust is compiled and run as tests of documentation.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("src/library.md")]
#[doc = include_str!("src/own-task.md")]
#[doc = include_str!("src/burn-train.md")]
#[doc = include_str!("src/practice.md")]
#[doc = include_str!("src/adding-a-method.md")]
pub struct Pages;
