//! Commands that start a program on another machine.

use std::env;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use thiserror::Error;

/// A command that starts the one that is written behind it, on some machine: `srun -N1 -n1`, `ssh node1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launcher {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
}

/// Why a text is no launcher.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LauncherError {
    /// There is nothing in it.
    #[error("there is no command in it: give one such as \"srun -N1 -n1\" or \"ssh node1\"")]
    Empty,
    /// A shell would wait for more.
    #[error(
        "it ends within a quotation or behind a backslash: close what is open, or write \\\\ for a backslash"
    )]
    Open,
    /// This machine does not have it.
    #[error("there is no program {0} here: give one that is in a folder of PATH, or with its path")]
    Missing(String),
}

impl FromStr for Launcher {
    type Err = LauncherError;

    /// Splits a command line into words as a shell does.
    fn from_str(text: &str) -> Result<Self, LauncherError> {
        let mut words = shlex::split(text).ok_or(LauncherError::Open)?.into_iter();
        match words.next() {
            Some(program) if !program.is_empty() => Ok(Self {
                program,
                arguments: words.collect(),
            }),
            _ => Err(LauncherError::Empty),
        }
    }
}

impl Launcher {
    /// Looks whether this machine has the command.
    ///
    /// # Errors
    /// If it has not.
    pub fn find(&self) -> Result<(), LauncherError> {
        let program = Path::new(&self.program);
        // Elsewhere the ending of its name may be left out.
        let is_there = match program.components().count() {
            _ if cfg!(not(unix)) => true,
            1 => {
                let path = env::var_os("PATH").unwrap_or_default();
                env::split_paths(&path).any(|folder| folder.join(program).is_file())
            }
            _ => program.is_file(),
        };
        match is_there {
            true => Ok(()),
            false => Err(LauncherError::Missing(self.program.clone())),
        }
    }
}

impl fmt::Display for Launcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [&self.program].into_iter().chain(&self.arguments);
        // No word has a zero byte, which is all that cannot be quoted.
        let line = shlex::try_join(words.map(String::as_str)).unwrap_or_default();
        f.write_str(&line)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_command_line_is_split_as_a_shell_does() {
        for (text, words) in [
            ("srun  -N1 -n1 ", &["srun", "-N1", "-n1"][..]),
            ("ssh 'node 1'", &["ssh", "node 1"]),
            (r#"env A="b c" d\ e"#, &["env", "A=b c", "d e"]),
        ] {
            let launcher: Launcher = text.parse().unwrap();
            let found: Vec<&String> = [&launcher.program]
                .into_iter()
                .chain(&launcher.arguments)
                .collect();
            assert_eq!(found, words);
            assert_eq!(launcher.to_string().parse::<Launcher>().unwrap(), launcher);
        }
        for (text, told) in [
            ("", "no command"),
            (" ", "no command"),
            ("''", "no command"),
            ("srun '-N1", "within a quotation"),
            ("srun \"", "within a quotation"),
            ("srun \\", "behind a backslash"),
        ] {
            let error = text.parse::<Launcher>().unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_program_is_looked_for_where_the_system_looks() {
        let find = |text: &str| text.parse::<Launcher>().unwrap().find();
        for text in ["env", "/usr/bin/env -i"] {
            find(text).unwrap();
        }
        for text in ["no-such-program -n1", "./env", "/usr/bin"] {
            let error = find(text).unwrap_err().to_string();
            assert!(error.starts_with("there is no program "), "{error}");
        }
    }
}
